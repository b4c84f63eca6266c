// The only user of yaml-cpp. Works on parser events rather than on YAML::Node: positions of keys
// are kept, nothing is expanded, and limits act while the text is read.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/config/tree.h"

namespace slipway::base {
namespace {

// Builds the tree; after the first error it ignores what follows.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::shared_ptr<const std::string> name, const ConfigLimits& limits)
      : name_(std::move(name)), limits_(limits) {}

  const absl::Status& status() const { return status_; }
  const YAML::Mark& start() const { return start_; }
  ConfigNode TakeRoot() { return std::move(root_); }

  void Fail(const YAML::Mark& mark, absl::string_view text,
            absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    if (!status_.ok()) return;
    status_ = absl::Status(code, absl::StrCat(OriginOf(mark).Text(), ": ", text));
  }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!CheckPlain(mark, "", anchor)) return;
    ConfigNode node;
    node.origin = OriginOf(mark);
    Place(mark, std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fail(mark, "an alias (*name) is not supported; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool quoted = tag == "!";
    if (!CheckPlain(mark, quoted ? "" : tag, anchor)) return;
    ConfigNode node;
    node.kind = ConfigNode::Kind::kScalar;
    node.origin = OriginOf(mark);
    node.text = value;
    node.quoted = quoted;
    Place(mark, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, ConfigNode::Kind::kList);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, ConfigNode::Kind::kMap);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    ConfigNode node;
    YAML::Mark mark;
    bool has_key = false;
    std::string key;
    ConfigOrigin key_origin;
    absl::flat_hash_map<std::string, int> key_lines;
  };

  ConfigOrigin OriginOf(const YAML::Mark& mark) const {
    ConfigOrigin origin;
    origin.kind = ConfigOrigin::Kind::kFile;
    origin.name = name_;
    origin.line = std::max(mark.line, 0) + 1;
    origin.column = std::max(mark.column, 0) + 1;
    return origin;
  }

  bool CheckPlain(const YAML::Mark& mark, absl::string_view tag, YAML::anchor_t anchor) {
    if (!status_.ok()) return false;
    if (!tag.empty() && tag != "?") {
      Fail(mark, "a tag (!name) is not supported; remove it");
      return false;
    }
    if (anchor != YAML::NullAnchor) {
      Fail(mark, "an anchor (&name) is not supported; remove it");
      return false;
    }
    if (++nodes_ > limits_.nodes_max) {
      Fail(mark, absl::StrCat("more than ", limits_.nodes_max, " values; split the file"),
           absl::StatusCode::kResourceExhausted);
      return false;
    }
    return true;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            ConfigNode::Kind kind) {
    if (!CheckPlain(mark, tag, anchor)) return;
    if (static_cast<int>(stack_.size()) >= limits_.depth_max) {
      Fail(mark, absl::StrCat("nested deeper than ", limits_.depth_max, " levels; flatten it"),
           absl::StatusCode::kResourceExhausted);
      return;
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.origin = OriginOf(mark);
    frame.mark = mark;
    stack_.push_back(std::move(frame));
  }

  void Close() {
    if (!status_.ok()) return;
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    Place(frame.mark, std::move(frame.node));
  }

  void Place(const YAML::Mark& mark, ConfigNode node) {
    if (!status_.ok()) return;
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == ConfigNode::Kind::kList) {
      frame.node.items.push_back(std::move(node));
    } else if (frame.has_key) {
      frame.node.entries.push_back({std::move(frame.key), frame.key_origin, std::move(node)});
      frame.has_key = false;
    } else {
      TakeKey(mark, frame, std::move(node));
    }
  }

  void TakeKey(const YAML::Mark& mark, Frame& frame, ConfigNode node) {
    if (node.kind != ConfigNode::Kind::kScalar || node.text.empty()) {
      Fail(mark, "a key must be a plain word; write `key: value`");
      return;
    }
    const auto [first, is_new] = frame.key_lines.try_emplace(node.text, node.origin.line);
    if (!is_new) {
      Fail(mark, absl::StrCat(EscapeForTerminal(node.text), ": duplicate key, first on line ",
                              first->second, "; remove one of them"));
      return;
    }
    frame.has_key = true;
    frame.key = std::move(node.text);
    frame.key_origin = node.origin;
  }

  const std::shared_ptr<const std::string> name_;
  const ConfigLimits limits_;
  absl::Status status_;
  std::vector<Frame> stack_;
  ConfigNode root_;
  YAML::Mark start_;
  size_t nodes_ = 0;
};

// yaml-cpp takes 0x04 for the end of the text, so what follows it would be dropped in silence: no
// control character is let through (YAML itself allows none but tab and line ends).
absl::Status CheckCharacters(absl::string_view text, absl::string_view name) {
  int line = 1;
  int column = 1;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ":", line, ":", column, ": a control character (0x",
                       absl::Hex(byte, absl::kZeroPad2), "); remove it or escape it in quotes"));
    }
    column = c == '\n' ? 1 : column + 1;
    line += c == '\n' ? 1 : 0;
  }
  if (!IsUtf8(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": the text is not UTF-8; save it as UTF-8"));
  }
  return absl::OkStatus();
}

// The parser's own sentence without what some append after a colon: that is a piece of the text,
// which may belong to a secret.
std::string Reason(const std::string& message) { return message.substr(0, message.find(": ")); }

absl::StatusOr<ConfigNode> ParseEvents(absl::string_view text, Builder& builder) {
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    const bool any = parser.HandleNextDocument(builder);
    if (any && builder.status().ok() && parser) {
      Builder rest(std::make_shared<const std::string>(), ConfigLimits{});
      if (parser.HandleNextDocument(rest)) {
        builder.Fail(rest.start(), "a second document (---); keep one document in a file");
      }
    }
  } catch (const YAML::Exception& error) {
    builder.Fail(error.mark, absl::StrCat("not valid YAML: ", Reason(error.msg),
                                          "; check indentation, quotes and brackets"));
  }
  if (!builder.status().ok()) return builder.status();
  return builder.TakeRoot();
}

}  // namespace

absl::StatusOr<ConfigNode> ParseConfig(absl::string_view text, absl::string_view name,
                                       const ConfigLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, ": ", text.size(), " bytes; at most ", limits.bytes_max, " are read"));
  }
  SLIPWAY_RETURN_IF_ERROR(CheckCharacters(text, name));
  auto shared_name = std::make_shared<const std::string>(name);
  Builder builder(shared_name, limits);
  SLIPWAY_ASSIGN_OR_RETURN(ConfigNode root, ParseEvents(text, builder));
  if (root.kind == ConfigNode::Kind::kNull) {
    root.kind = ConfigNode::Kind::kMap;
    root.origin.kind = ConfigOrigin::Kind::kFile;
    root.origin.name = shared_name;
    root.origin.line = root.origin.column = 1;
  }
  if (root.kind != ConfigNode::Kind::kMap) {
    return absl::InvalidArgumentError(
        absl::StrCat(root.origin.Text(), ": the file must be a map; write `key: value` lines"));
  }
  return root;
}

absl::StatusOr<ConfigNode> LoadConfig(Files& files, absl::string_view path,
                                      const ConfigLimits& limits) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string text, ReadUserFile(files, path, limits.bytes_max));
  return ParseConfig(text, path, limits);
}

}  // namespace slipway::base
