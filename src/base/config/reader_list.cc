// Lists and maps of a configuration.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/config/reader_state.h"

namespace slipway::base {
namespace {

// What to do about a `node` that is no list. A variable whose index is not 0 made a map, since
// nothing said that a list was meant.
absl::string_view ListAdvice(const ConfigNode& node, absl::string_view advice) {
  const bool from_environment =
      node.kind == ConfigNode::Kind::kMap && node.origin.kind == ConfigOrigin::Kind::kEnvironment;
  return from_environment ? "number its elements from 0 on, without gaps" : advice;
}

}  // namespace

void ConfigReader::Texts(absl::string_view key, std::vector<std::string>* target,
                         absl::string_view help) {
  const auto show = [](const std::vector<std::string>& texts) {
    return absl::StrCat(
        "[",
        absl::StrJoin(texts, ", ",
                      [](std::string* out, const auto& text) { *out += QuoteYaml(text); }),
        "]");
  };
  const ConfigNode* node = Declare(key, "list of texts", show(*target), help);
  if (node == nullptr) return;
  std::vector<std::string> read;
  if (node->kind == ConfigNode::Kind::kScalar &&
      node->origin.kind >= ConfigOrigin::Kind::kEnvironment) {
    read = absl::StrSplit(node->text, ',', absl::SkipWhitespace());
    for (std::string& text : read) absl::StripAsciiWhitespace(&text);
  } else if (node->kind != ConfigNode::Kind::kList) {
    Wrong(key, *node, "a list of texts", ListAdvice(*node, "write [a, b] or one `- a` a line"));
    return;
  }
  for (size_t i = 0; i < node->items.size(); ++i) {
    if (node->items[i].kind != ConfigNode::Kind::kScalar) {
      Wrong(absl::StrCat(key, "[", i, "]"), node->items[i], "a text", "write one value");
      return;
    }
    read.push_back(node->items[i].text);
  }
  *target = std::move(read);
  SetValue(*node, show(*target));
}

void ConfigReader::TextMap(absl::string_view key, std::map<std::string, std::string>* target,
                           absl::string_view help) {
  const auto show = [](const std::map<std::string, std::string>& texts) {
    return absl::StrCat("{",
                        absl::StrJoin(texts, ", ",
                                      [](std::string* out, const auto& entry) {
                                        absl::StrAppend(out, QuoteYaml(entry.first), ": ",
                                                        QuoteYaml(entry.second));
                                      }),
                        "}");
  };
  const ConfigNode* node = Declare(key, "map of texts", show(*target), help);
  if (node == nullptr) return;
  if (node->kind != ConfigNode::Kind::kMap) {
    Wrong(key, *node, "a map of texts", "write one `name: value` a line");
    return;
  }
  std::map<std::string, std::string> read;
  for (const ConfigNode::Entry& entry : node->entries) {
    if (entry.value.kind != ConfigNode::Kind::kScalar) {
      Wrong(absl::StrCat(key, ".", entry.key), entry.value, "a text", "write one value");
      return;
    }
    read[entry.key] = entry.value.text;
  }
  *target = std::move(read);
  SetValue(*node, show(*target));
}

// So that an element without keys of its own is shown too.
void ConfigReader::AddElement(const std::vector<std::string>& path, const ConfigNode& node) {
  ConfigField field;
  field.path = path;
  field.value = "{}";
  field.origin = node.origin;
  state_->values.push_back(std::move(field));
}

void ConfigReader::VisitList(absl::string_view key, absl::string_view help,
                             absl::FunctionRef<void(ConfigReader&)> visit) {
  const ConfigNode* node = Declare(key, "list", "[]", help);
  std::vector<std::string> path = path_;
  for (absl::string_view part : absl::StrSplit(key, '.')) path.emplace_back(part);
  path.emplace_back("[]");
  ConfigReader sample(state_, nullptr, path);
  visit(sample);
  if (node == nullptr) return;
  if (node->kind != ConfigNode::Kind::kList) {
    Wrong(key, *node, "a list", ListAdvice(*node, "write one `- name: …` an element"));
    return;
  }
  SetValue(*node, "[]");
  for (size_t i = 0; i < node->items.size(); ++i) {
    if (node->items[i].kind != ConfigNode::Kind::kMap) {
      Wrong(absl::StrCat(key, "[", i, "]"), node->items[i], "a map", "write `key: value` lines");
      continue;
    }
    path.back() = absl::StrCat("[", i, "]");
    AddElement(path, node->items[i]);
    ConfigReader element(state_, &node->items[i], path);
    visit(element);
    element.FinishMap();
  }
}

void ConfigReader::VisitMap(absl::string_view key, absl::string_view placeholder,
                            absl::string_view help,
                            absl::FunctionRef<void(ConfigReader&, const std::string&)> visit) {
  const ConfigNode* node = Declare(key, "map", "{}", help);
  std::vector<std::string> path = path_;
  for (absl::string_view part : absl::StrSplit(key, '.')) path.emplace_back(part);
  path.emplace_back(placeholder);
  ConfigReader sample(state_, nullptr, path);
  visit(sample, std::string(placeholder));
  if (node == nullptr) return;
  if (node->kind != ConfigNode::Kind::kMap) {
    Wrong(key, *node, "a map", "write one `name:` a line with its keys below");
    return;
  }
  SetValue(*node, "{}");
  for (const ConfigNode::Entry& entry : node->entries) {
    const bool empty = entry.value.kind == ConfigNode::Kind::kNull;
    if (!empty && entry.value.kind != ConfigNode::Kind::kMap) {
      Wrong(absl::StrCat(key, ".", entry.key), entry.value, "a map", "write `key: value` lines");
      continue;
    }
    path.back() = entry.key;
    ConfigNode nothing;  // `name:` alone is a map without keys
    nothing.kind = ConfigNode::Kind::kMap;
    nothing.origin = entry.value.origin;
    AddElement(path, entry.value);
    ConfigReader element(state_, empty ? &nothing : &entry.value, path);
    visit(element, entry.key);
    element.FinishMap();
  }
}

}  // namespace slipway::base
