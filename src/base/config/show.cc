// Writing a configuration back: for `config show`, `--print-config` and the documentation.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/config/reader_state.h"

namespace slipway::base {
namespace {

bool IsPlainCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("_./+~$").find(c) != absl::string_view::npos;
}

// Words that YAML readers take for something else than a text.
bool IsAmbiguous(absl::string_view text) {
  static constexpr absl::string_view kWords[] = {"true", "false", "null", "yes", "no",
                                                 "on",   "off",   "y",    "n",   "~"};
  const std::string lower = absl::AsciiStrToLower(text);
  double number = 0;
  return std::find(std::begin(kWords), std::end(kWords), lower) != std::end(kWords) ||
         absl::SimpleAtod(text, &number);
}

bool IsPrefix(const std::vector<std::string>& prefix, const std::vector<std::string>& path) {
  return prefix.size() < path.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

// The values by their place: keys of one map together, in the order of their declaration.
struct Branch {
  std::string name;
  const ConfigField* field = nullptr;
  std::vector<Branch> children;
};

void Insert(Branch& root, const ConfigField& field) {
  Branch* branch = &root;
  for (const std::string& name : field.path) {
    auto child = std::find_if(branch->children.begin(), branch->children.end(),
                              [&](const Branch& b) { return b.name == name; });
    if (child == branch->children.end()) {
      branch->children.push_back({name});
      child = std::prev(branch->children.end());
    }
    branch = &*child;
  }
  branch->field = &field;
}

std::string Comment(const ConfigField& field) {
  std::string text = field.origin.Text();
  if (!field.origin.variables.empty()) {
    absl::StrAppend(&text, " (", absl::StrJoin(field.origin.variables, ", "), ")");
  }
  return text;
}

void Write(const Branch& branch, int indent, bool origins, std::string* out) {
  for (const Branch& child : branch.children) {
    const bool is_item = absl::StartsWith(child.name, "[");
    const std::string space(static_cast<size_t>(indent), ' ');
    if (is_item) {
      std::string item;
      Write(child, indent + 2, origins, &item);
      if (item.size() > space.size() + 2) item.replace(space.size(), 1, "-");
      *out += item;
      continue;
    }
    absl::StrAppend(out, space, QuoteYaml(child.name), ":");
    if (!child.children.empty()) {
      *out += '\n';
      Write(child, indent + 2, origins, out);
      continue;
    }
    absl::StrAppend(out, child.field->value.empty() ? "" : " ", child.field->value);
    if (origins) absl::StrAppend(out, "  # ", Comment(*child.field));
    *out += '\n';
  }
}

}  // namespace

std::string QuoteYaml(absl::string_view text) {
  const bool plain = !text.empty() &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) { return IsPlainCharacter(c) || c == '-'; }) &&
                     text.front() != '-' && !absl::StrContains(text, "${") && !IsAmbiguous(text);
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += absl::StrFormat("\\x%02x", byte);
    } else if (absl::StartsWith(text.substr(i), "${")) {
      quoted += "$$";  // read back, it must not become a reference
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string internal::ShowTree(const ConfigNode& node) {
  const auto join = [](const auto& parts, auto show) {
    return absl::StrJoin(parts, ", ",
                         [&](std::string* out, const auto& part) { *out += show(part); });
  };
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return "null";
    case ConfigNode::Kind::kScalar: {
      // A number or a word like `true` that stood there without quotes shall not become a text.
      const bool bare = !node.quoted && !node.text.empty() &&
                        std::all_of(node.text.begin(), node.text.end(), IsPlainCharacter);
      return bare && !absl::StrContains(node.text, "${") ? node.text : QuoteYaml(node.text);
    }
    case ConfigNode::Kind::kList:
      return absl::StrCat("[", join(node.items, ShowTree), "]");
    case ConfigNode::Kind::kMap:
      break;
  }
  return absl::StrCat("{",
                      join(node.entries,
                           [](const ConfigNode::Entry& entry) {
                             return absl::StrCat(QuoteYaml(entry.key), ": ", ShowTree(entry.value));
                           }),
                      "}");
}

std::string ShowConfig(const std::vector<ConfigField>& values, bool origins) {
  Branch root;
  for (const ConfigField& field : values) {
    if (field.value.empty() && field.origin.kind == ConfigOrigin::Kind::kDefault) continue;
    const bool has_parts = std::any_of(values.begin(), values.end(), [&](const ConfigField& other) {
      return IsPrefix(field.path, other.path) && !other.value.empty();
    });
    if (!has_parts) Insert(root, field);
  }
  std::string out;
  Write(root, 0, origins, &out);
  return out;
}

std::string ConfigTable(const std::vector<ConfigField>& schema) {
  std::string out = "| key | type | default | meaning |\n|---|---|---|---|\n";
  for (const ConfigField& field : schema) {
    if (field.later) continue;
    const auto escape = [](absl::string_view text) {
      return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}});
    };
    absl::StrAppend(
        &out, "| `", field.Key(), "` | ", escape(field.type), " | ",
        field.default_text.empty() ? "" : absl::StrCat("`", escape(field.default_text), "`"), " | ",
        escape(field.help), " |\n");
  }
  return out;
}

}  // namespace slipway::base
