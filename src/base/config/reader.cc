#include "base/config/reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/config/nearest.h"
#include "base/config/reader_state.h"

namespace slipway::base {
namespace {

constexpr absl::string_view kLaterType = "not supported yet";

std::string JoinKey(const std::vector<std::string>& path) {
  std::string key;
  for (const std::string& part : path) {
    if (!key.empty() && part.front() != '[') key += '.';
    key += part;
  }
  return key;
}

// How a message calls what it found. What the environment brought is named, never shown.
std::string Describe(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return "nothing";
    case ConfigNode::Kind::kList:
      return "a list";
    case ConfigNode::Kind::kMap:
      return "a map";
    case ConfigNode::Kind::kScalar:
      break;
  }
  if (!node.origin.variables.empty()) {
    return absl::StrCat("the value of ", absl::StrJoin(node.origin.variables, ", "));
  }
  if (node.origin.kind == ConfigOrigin::Kind::kEnvironment) return "its value";
  return absl::StrCat("\"", EscapeForTerminal(absl::string_view(node.text).substr(0, 80)),
                      node.text.size() > 80 ? "…" : "", "\"");
}

// A number in quotes is a text, unless a reference made it.
bool IsQuotedLiteral(const ConfigNode& node) {
  return node.quoted && !node.origin.FromEnvironment();
}

std::string ValidKeys(const std::vector<std::string>& keys) {
  constexpr size_t kKeysMax = 12;
  if (keys.size() <= kKeysMax) return absl::StrJoin(keys, ", ");
  const std::vector<std::string> some(keys.begin(), keys.begin() + kKeysMax);
  return absl::StrCat(absl::StrJoin(some, ", "), ", …");
}

std::string RangeText(int64_t min, int64_t max) {
  if (max == std::numeric_limits<int64_t>::max()) return absl::StrCat("at least ", min);
  return absl::StrCat("from ", min, " to ", max);
}

}  // namespace

std::string internal::ShowSize(uint64_t bytes) {
  std::string text = FormatSize(bytes);
  const absl::StatusOr<uint64_t> read = ParseSize(text);
  return read.ok() && *read == bytes ? text : absl::StrCat(bytes);
}

std::string internal::ShowText(const std::string& text) {
  return text.empty() ? std::string() : QuoteYaml(text);
}

std::string ConfigField::Key() const { return JoinKey(path); }

ConfigReader::ConfigReader(const ConfigNode& root, Options options)
    : state_(std::make_shared<State>()), node_(&root), known_(std::make_unique<Known>()) {
  SLIPWAY_CHECK(root.kind == ConfigNode::Kind::kMap);
  state_->options = std::move(options);
}

ConfigReader::ConfigReader(std::shared_ptr<State> state, const ConfigNode* node,
                           std::vector<std::string> path)
    : state_(std::move(state)),
      node_(node),
      path_(std::move(path)),
      known_(std::make_unique<Known>()) {}

ConfigReader::~ConfigReader() = default;

std::string ConfigReader::KeyText(absl::string_view key) const {
  std::vector<std::string> path = path_;
  if (!key.empty()) path.emplace_back(key);
  return JoinKey(path);
}

const ConfigNode* ConfigReader::Locate(absl::string_view key) const {
  const ConfigNode* node = node_;
  if (key.empty()) return node;
  for (absl::string_view part : absl::StrSplit(key, '.')) {
    if (node == nullptr) return nullptr;
    node = node->Find(part);
  }
  return node;
}

const ConfigNode* ConfigReader::Declare(absl::string_view key, absl::string_view type,
                                        std::string default_text, absl::string_view help) {
  ConfigField field;
  field.path = path_;
  Known* known = known_.get();
  for (absl::string_view part : absl::StrSplit(key, '.')) {
    field.path.emplace_back(part);
    std::unique_ptr<Known>& child = known->children[std::string(part)];
    if (child == nullptr) child = std::make_unique<Known>();
    known = child.get();
  }
  known->leaf = true;
  known->later = type == kLaterType;
  field.type = std::string(type);
  field.later = type == kLaterType;
  field.default_text = default_text;
  field.help = std::string(help);
  field.value = std::move(default_text);
  const bool in_schema = schema_only() || path_.empty();
  if (in_schema && state_->declared.insert(field.Key()).second) state_->schema.push_back(field);
  if (schema_only()) return nullptr;
  state_->values.push_back(std::move(field));
  const ConfigNode* node = Locate(key);
  return node != nullptr && node->kind != ConfigNode::Kind::kNull ? node : nullptr;
}

void ConfigReader::SetValue(const ConfigNode& node, std::string text) {
  state_->values.back().value = std::move(text);
  state_->values.back().origin = node.origin;
}

void ConfigReader::Refuse(absl::string_view key, const ConfigNode& node, absl::string_view text) {
  state_->problems.Add(node.origin, KeyText(key), text);
}

void ConfigReader::Wrong(absl::string_view key, const ConfigNode& node, absl::string_view expected,
                         absl::string_view advice) {
  Refuse(key, node, absl::StrCat("expected ", expected, ", found ", Describe(node), "; ", advice));
}

std::optional<bool> ConfigReader::ReadBool(absl::string_view key, std::string default_text,
                                           absl::string_view help) {
  const ConfigNode* node = Declare(key, "boolean", std::move(default_text), help);
  if (node == nullptr) return std::nullopt;
  const bool yes = node->text == "true";
  if (node->kind != ConfigNode::Kind::kScalar || IsQuotedLiteral(*node) ||
      (!yes && node->text != "false")) {
    Wrong(key, *node, "true or false", "write one of them without quotes");
    return std::nullopt;
  }
  SetValue(*node, node->text);
  return yes;
}

std::optional<int64_t> ConfigReader::ReadInt(absl::string_view key, std::string default_text,
                                             int64_t min, int64_t max, absl::string_view help) {
  const ConfigNode* node =
      Declare(key, absl::StrCat("integer ", RangeText(min, max)), std::move(default_text), help);
  if (node == nullptr) return std::nullopt;
  int64_t value = 0;
  const bool digits = !node->text.empty() && !absl::StartsWith(node->text, "+") &&
                      node->text.find_first_not_of("-0123456789") == std::string::npos;
  if (node->kind != ConfigNode::Kind::kScalar || IsQuotedLiteral(*node) || !digits ||
      !absl::SimpleAtoi(node->text, &value)) {
    Wrong(key, *node, "an integer",
          absl::StrCat("write a number ", RangeText(min, max), " without quotes"));
    return std::nullopt;
  }
  if (value < min || value > max) {
    Refuse(key, *node,
           absl::StrCat(Describe(*node), " is out of range; write a number ", RangeText(min, max)));
    return std::nullopt;
  }
  SetValue(*node, absl::StrCat(value));
  return value;
}

void ConfigReader::Double(absl::string_view key, double* target, double min, double max,
                          absl::string_view help) {
  const ConfigNode* node =
      Declare(key, absl::StrCat("number from ", min, " to ", max), absl::StrCat(*target), help);
  if (node == nullptr) return;
  absl::string_view text = node->text;
  const bool percent = max <= 1 && absl::ConsumeSuffix(&text, "%");
  double value = 0;
  // Only plain decimals: SimpleAtod would also take "inf", "nan" and hexadecimal floats.
  const bool plain =
      !text.empty() && text.find_first_not_of("-.0123456789eE") == absl::string_view::npos;
  if (node->kind != ConfigNode::Kind::kScalar || IsQuotedLiteral(*node) || !plain ||
      !absl::SimpleAtod(text, &value)) {
    Wrong(key, *node, "a number",
          max <= 1 ? "write a fraction like 0.85 or 85%" : "write it without quotes or unit");
    return;
  }
  if (percent) value /= 100;
  if (value < min || value > max) {
    Refuse(
        key, *node,
        absl::StrCat(Describe(*node), " is out of range; write a number from ", min, " to ", max));
    return;
  }
  *target = value;
  SetValue(*node, node->text);
}

std::optional<uint64_t> ConfigReader::ReadSize(absl::string_view key, std::string default_text,
                                               absl::string_view help, uint64_t min, uint64_t max) {
  const ConfigNode* node = Declare(key, "size", std::move(default_text), help);
  if (node == nullptr) return std::nullopt;
  const absl::StatusOr<uint64_t> value = ParseSize(node->text);
  if (node->kind != ConfigNode::Kind::kScalar || !value.ok()) {
    Wrong(key, *node, "a size", "write bytes or a unit, like 512MiB");
    return std::nullopt;
  }
  if (*value < min || *value > max) {
    const std::string upper = max == std::numeric_limits<int64_t>::max()
                                  ? ""
                                  : absl::StrCat(" and at most ", FormatSize(max));
    Refuse(
        key, *node,
        absl::StrCat(Describe(*node), " is out of range; write at least ", FormatSize(min), upper));
    return std::nullopt;
  }
  SetValue(*node, node->text);
  return *value;
}

std::optional<absl::Duration> ConfigReader::ReadDuration(absl::string_view key,
                                                         std::string default_text,
                                                         absl::string_view help, absl::Duration min,
                                                         absl::Duration max) {
  const ConfigNode* node = Declare(key, "duration", std::move(default_text), help);
  if (node == nullptr) return std::nullopt;
  const absl::StatusOr<absl::Duration> value = ParseDuration(node->text);
  if (node->kind != ConfigNode::Kind::kScalar || !value.ok()) {
    Wrong(key, *node, "a duration", "write a number with a unit, like 30s, 1h30m or 30d");
    return std::nullopt;
  }
  if (*value < min || *value > max) {
    const std::string upper =
        max == absl::InfiniteDuration() ? "" : absl::StrCat(" and at most ", FormatGoDuration(max));
    Refuse(key, *node,
           absl::StrCat(Describe(*node), " is out of range; write at least ", FormatGoDuration(min),
                        upper));
    return std::nullopt;
  }
  SetValue(*node, node->text);
  return *value;
}

std::optional<std::string> ConfigReader::ReadText(absl::string_view key, std::string default_text,
                                                  absl::string_view help, TextCheck check) {
  const ConfigNode* node = Declare(key, "text", std::move(default_text), help);
  if (node == nullptr) return std::nullopt;
  if (node->kind != ConfigNode::Kind::kScalar) {
    Wrong(key, *node, "a text", "write one value");
    return std::nullopt;
  }
  if (const std::string reason = check(node->text); !reason.empty()) {
    Refuse(key, *node, absl::StrCat(Describe(*node), " ", reason));
    return std::nullopt;
  }
  SetValue(*node, QuoteYaml(node->text));
  return node->text;
}

std::optional<size_t> ConfigReader::ReadEnum(absl::string_view key, absl::string_view default_text,
                                             const std::vector<std::string>& words,
                                             absl::string_view help) {
  const std::string list = absl::StrJoin(words, ", ");
  const ConfigNode* node =
      Declare(key, absl::StrCat("one of ", list), std::string(default_text), help);
  if (node == nullptr) return std::nullopt;
  const auto found = std::find(words.begin(), words.end(), node->text);
  if (node->kind == ConfigNode::Kind::kScalar && found != words.end()) {
    SetValue(*node, node->text);
    return static_cast<size_t>(found - words.begin());
  }
  const std::optional<std::string> nearest =
      node->kind == ConfigNode::Kind::kScalar && !node->origin.FromEnvironment()
          ? NearestWord(node->text, words)
          : std::nullopt;
  Wrong(key, *node, absl::StrCat("one of ", list),
        nearest.has_value() ? absl::StrCat("did you mean ", *nearest, "?") : "write one of them");
  return std::nullopt;
}

void ConfigReader::Later(absl::string_view key) {
  const ConfigNode* node = Declare(key, kLaterType, "", "");
  if (node == nullptr) return;
  Refuse(key, *node, "not supported yet by this version; remove it");
}

void ConfigReader::Free(absl::string_view key, absl::string_view help) {
  const ConfigNode* node = Declare(key, "anything", "{}", help);
  if (node != nullptr) SetValue(*node, internal::ShowTree(*node));
}

void ConfigReader::Require(absl::string_view key, absl::string_view hint) {
  if (schema_only()) return;
  const ConfigNode* node = Locate(key);
  if (node == nullptr || node->kind == ConfigNode::Kind::kNull ||
      (node->kind == ConfigNode::Kind::kScalar && node->text.empty())) {
    Problem(key, absl::StrCat("missing; ", hint));
  }
}

void ConfigReader::Mask(absl::string_view key) {
  const std::string name = KeyText(key);
  for (ConfigField& field : state_->values) {
    if (field.Key() == name && !field.value.empty() && field.value != QuoteYaml("")) {
      field.value = QuoteYaml(base::Secret("x").Masked());
    }
  }
}

bool ConfigReader::Has(absl::string_view key) const {
  const ConfigNode* node = Locate(key);
  return node != nullptr && node->kind != ConfigNode::Kind::kNull;
}

void ConfigReader::Problem(absl::string_view key, absl::string_view text) {
  if (schema_only()) return;
  const ConfigNode* node = Locate(key);
  state_->problems.Add(node != nullptr ? node->origin : node_->origin, KeyText(key), text);
}

void ConfigReader::Warn(absl::string_view key, absl::string_view text) {
  if (schema_only()) return;
  const ConfigNode* node = Locate(key);
  state_->warnings.Add(node != nullptr ? node->origin : node_->origin, KeyText(key), text);
}

void ConfigReader::FindUnknown(const ConfigNode& node, const Known& known,
                               const std::string& prefix) {
  std::vector<std::string> valid;
  for (const auto& [name, child] : known.children) {
    if (!child->later) valid.push_back(name);
  }
  for (const ConfigNode::Entry& entry : node.entries) {
    const std::string full = prefix.empty() ? entry.key : absl::StrCat(prefix, ".", entry.key);
    const auto found = known.children.find(entry.key);
    if (found == known.children.end()) {
      const std::optional<std::string> nearest = NearestWord(entry.key, valid);
      state_->problems.Add(entry.key_origin, full,
                           nearest.has_value()
                               ? absl::StrCat("unknown key; did you mean ", *nearest, "?")
                               : absl::StrCat("unknown key; valid here: ", ValidKeys(valid)));
      continue;
    }
    if (found->second->leaf || entry.value.kind == ConfigNode::Kind::kNull) continue;
    if (entry.value.kind != ConfigNode::Kind::kMap) {
      state_->problems.Add(entry.value.origin, full,
                           absl::StrCat("expected a map, found ", Describe(entry.value),
                                        "; write its keys below it, indented"));
      continue;
    }
    FindUnknown(entry.value, *found->second, full);
  }
}

void ConfigReader::FinishMap() { FindUnknown(*node_, *known_, JoinKey(path_)); }

absl::Status ConfigReader::Finish(ErrorInfo info) {
  SLIPWAY_CHECK(path_.empty());
  FinishMap();
  return state_->problems.ToStatus(std::move(info));
}

std::vector<std::string> ConfigReader::Warnings() const { return state_->warnings.Lines(); }
const std::vector<ConfigField>& ConfigReader::schema() const { return state_->schema; }
const std::vector<ConfigField>& ConfigReader::values() const { return state_->values; }

}  // namespace slipway::base
