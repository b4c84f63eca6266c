// References to environment variables in values.
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/config/tree.h"

namespace slipway::base {
namespace {

constexpr size_t kExpandedBytesMax = 1 << 20;
constexpr int kDefaultDepthMax = 8;  // of `${A:-${B:-…}}`

bool IsNameCharacter(char c, bool first) {
  return c == '_' || absl::ascii_isalpha(static_cast<unsigned char>(c)) ||
         (!first && absl::ascii_isdigit(static_cast<unsigned char>(c)));
}

class Expander {
 public:
  Expander(Environment& environment, ConfigProblems& problems)
      : environment_(environment), problems_(problems) {}

  void Walk(ConfigNode& node, const std::string& key) {
    switch (node.kind) {
      case ConfigNode::Kind::kNull:
        return;
      case ConfigNode::Kind::kScalar:
        ExpandScalar(node, key);
        return;
      case ConfigNode::Kind::kList:
        for (size_t i = 0; i < node.items.size(); ++i) {
          Walk(node.items[i], absl::StrCat(key, "[", i, "]"));
        }
        return;
      case ConfigNode::Kind::kMap:
        for (ConfigNode::Entry& entry : node.entries) {
          Walk(entry.value, key.empty() ? entry.key : absl::StrCat(key, ".", entry.key));
        }
        return;
    }
  }

 private:
  void ExpandScalar(ConfigNode& node, const std::string& key) {
    if (node.origin.kind != ConfigOrigin::Kind::kFile || !absl::StrContains(node.text, "${")) {
      return;
    }
    std::string out;
    std::string reason;
    if (!Expand(node.text, node.origin.variables, out, reason, 0)) {
      problems_.Add(node.origin, key, reason);
      return;
    }
    node.text = std::move(out);
  }

  bool Expand(absl::string_view text, std::vector<std::string>& variables, std::string& out,
              std::string& reason, int depth) {
    if (depth > kDefaultDepthMax) {
      reason = absl::StrCat("defaults nested deeper than ", kDefaultDepthMax, "; simplify them");
      return false;
    }
    while (!text.empty()) {
      if (absl::ConsumePrefix(&text, "$${")) {
        out += "${";
      } else if (absl::ConsumePrefix(&text, "${")) {
        const size_t end = FindEnd(text);
        if (end == absl::string_view::npos) {
          reason = "a reference without `}`; close it, or write `$${` for the two characters";
          return false;
        }
        if (!Resolve(text.substr(0, end), variables, out, reason, depth)) return false;
        text.remove_prefix(end + 1);
      } else {
        out += text.front();
        text.remove_prefix(1);
      }
      if (out.size() > kExpandedBytesMax) {
        reason =
            absl::StrCat("longer than ", kExpandedBytesMax, " bytes after expansion; shorten it");
        return false;
      }
    }
    return true;
  }

  // The `}` that belongs to an already opened `${`.
  static size_t FindEnd(absl::string_view text) {
    int open = 1;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
        ++open;
        ++i;
      } else if (text[i] == '}' && --open == 0) {
        return i;
      }
    }
    return absl::string_view::npos;
  }

  // `body` is what stands between the braces.
  bool Resolve(absl::string_view body, std::vector<std::string>& variables, std::string& out,
               std::string& reason, int depth) {
    size_t length = 0;
    while (length < body.size() && IsNameCharacter(body[length], length == 0)) ++length;
    const absl::string_view name = body.substr(0, length);
    absl::string_view rest = body.substr(length);
    const bool has_default = absl::ConsumePrefix(&rest, ":-");
    const bool has_message = !has_default && absl::ConsumePrefix(&rest, ":?");
    if (name.empty() || (!has_default && !has_message && !rest.empty())) {
      reason = "a malformed reference; write ${NAME}, ${NAME:-default} or ${NAME:?message}";
      return false;
    }
    const std::optional<std::string> value = environment_.Get(name);
    const bool usable = value.has_value() && (!value->empty() || (!has_default && !has_message));
    if (usable) {
      variables.emplace_back(name);
      out += *value;
      return true;
    }
    if (has_default) return Expand(rest, variables, out, reason, depth + 1);
    reason = has_message && !rest.empty()
                 ? absl::StrCat("environment variable ", name, " is not set: ", rest)
                 : absl::StrCat("environment variable ", name, " is not set; set it, or write ${",
                                name, ":-default}");
    return false;
  }

  Environment& environment_;
  ConfigProblems& problems_;
};

}  // namespace

void ExpandConfig(ConfigNode& root, Environment& environment, ConfigProblems& problems) {
  Expander(environment, problems).Walk(root, "");
}

}  // namespace slipway::base
