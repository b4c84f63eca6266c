// Binds a ConfigNode tree to structs, strictly, and learns the schema from the same declarations.
//
//   ConfigReader reader(root, {&environment, &files, directory});
//   reader.Int("pack.compression.level", &config.level, 1, 9, "Compression level");
//   reader.List<Target>("publish.targets", &config.targets, BindTarget, "Where packages go");
//   SLIPWAY_RETURN_IF_ERROR(reader.Finish({"DT001"}));
//
// A missing key leaves the value as it was: that is its default, and is shown as such. Errors are
// collected, not returned one by one; each is `file:line:column: key: reason; what to do`. A value
// that came from the environment or belongs to a secret is never quoted in one.
//
// Thread-compatible. The tree outlives the reader.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/config/secret.h"
#include "base/config/tree.h"
#include "base/units.h"

namespace slipway::base {

// One declared key, or one effective value.
struct ConfigField {
  std::vector<std::string>
      path;                  // {"publish", "targets", "[0]", "name"}; "[]", "<name>" in a schema
  std::string type;          // "integer", "one of gzip, zstd", "secret", …
  std::string default_text;  // as YAML; empty: none
  std::string help;
  std::string value;  // as YAML; *** for a secret
  ConfigOrigin origin;
  bool later = false;  // known, but not supported by this version

  std::string Key() const;  // "publish.targets[0].name"
};

class ConfigReader {
 public:
  struct Options {
    Environment* environment = nullptr;  // for env:NAME; null: that form is an error
    Files* files = nullptr;              // for file:PATH and key_file; null: an error
    std::string directory = ".";         // relative secret files stand in it
  };

  // `root` must be a map.
  ConfigReader(const ConfigNode& root, Options options);
  ~ConfigReader();
  ConfigReader(const ConfigReader&) = delete;
  ConfigReader& operator=(const ConfigReader&) = delete;

  // Keys may be paths: "pack.compression.level". `Target` is the type or an optional of it; an
  // unset optional has no default.
  template <class Target>
  void Bool(absl::string_view key, Target* target, absl::string_view help);
  template <class Target>
  void Int(absl::string_view key, Target* target, int64_t min, int64_t max, absl::string_view help);
  // A fraction may also be written as a percentage, "85%", when `max` is at most 1.
  void Double(absl::string_view key, double* target, double min, double max,
              absl::string_view help);
  template <class Target>
  void Size(absl::string_view key, Target* target, absl::string_view help, uint64_t min = 0,
            uint64_t max = std::numeric_limits<int64_t>::max());
  template <class Target>
  void Duration(absl::string_view key, Target* target, absl::string_view help,
                absl::Duration min = absl::ZeroDuration(),
                absl::Duration max = absl::InfiniteDuration());
  // `check` returns what is wrong with a text and what to do, or "".
  using TextCheck = absl::FunctionRef<std::string(absl::string_view)>;
  template <class Target>
  void Text(absl::string_view key, Target* target, absl::string_view help);
  template <class Target>
  void Text(absl::string_view key, Target* target, absl::string_view help, TextCheck check);
  template <class E>
  void Enum(absl::string_view key, E* target,
            absl::Span<const std::pair<absl::string_view, E>> table, absl::string_view help);
  // A list of texts; one text with commas where it comes from the environment or a flag.
  void Texts(absl::string_view key, std::vector<std::string>* target, absl::string_view help);
  void TextMap(absl::string_view key, std::map<std::string, std::string>* target,
               absl::string_view help);
  // `${V}`, `env:NAME`, `file:PATH`, or the sibling key `<key>_file`; a literal warns.
  void Secret(absl::string_view key, base::Secret* target, absl::string_view help);

  // `bind` declares the keys of one element; an element must be a map.
  template <class T>
  void List(absl::string_view key, std::vector<T>* target,
            absl::FunctionRef<void(ConfigReader&, T&)> bind, absl::string_view help);
  // The same with free names as keys. `placeholder` names them in the schema: "<type>".
  template <class T>
  void Map(absl::string_view key, std::map<std::string, T>* target, absl::string_view placeholder,
           absl::FunctionRef<void(ConfigReader&, const std::string& name, T&)> bind,
           absl::string_view help);

  // A key that belongs to the format but not to this version: "not supported yet".
  void Later(absl::string_view key);
  // Any tree; not read.
  void Free(absl::string_view key, absl::string_view help);
  // A key that may not be left out: a problem when it is missing or empty.
  void Require(absl::string_view key, absl::string_view hint);

  // The value of a key (declared before) is shown as ***, as a secret's is.
  void Mask(absl::string_view key);
  // Whether the key is written somewhere (declared before).
  bool Has(absl::string_view key) const;
  // A problem or a doubt found by the caller, at the place of `key` (or of this map).
  void Problem(absl::string_view key, absl::string_view text);
  void Warn(absl::string_view key, absl::string_view text);

  // Looks for unknown keys. OK, or InvalidArgument with every problem and `info`. Root only.
  absl::Status Finish(ErrorInfo info = {});
  std::vector<std::string> Warnings() const;
  // What was declared, in order, and what holds now.
  const std::vector<ConfigField>& schema() const;
  const std::vector<ConfigField>& values() const;

 private:
  struct State;
  struct Known;
  ConfigReader(std::shared_ptr<State> state, const ConfigNode* node, std::vector<std::string> path);

  static std::string ShowBool(bool value) { return value ? "true" : "false"; }
  // The value of the key, or null when there is none; remembers the key.
  const ConfigNode* Declare(absl::string_view key, absl::string_view type, std::string default_text,
                            absl::string_view help);
  void SetValue(const ConfigNode& node, std::string text);
  void Wrong(absl::string_view key, const ConfigNode& node, absl::string_view expected,
             absl::string_view advice);
  void Refuse(absl::string_view key, const ConfigNode& node, absl::string_view text);
  std::string KeyText(absl::string_view key) const;
  const ConfigNode* Locate(absl::string_view key) const;
  bool schema_only() const { return node_ == nullptr; }

  std::optional<bool> ReadBool(absl::string_view key, std::string default_text,
                               absl::string_view help);
  std::optional<int64_t> ReadInt(absl::string_view key, std::string default_text, int64_t min,
                                 int64_t max, absl::string_view help);
  std::optional<uint64_t> ReadSize(absl::string_view key, std::string default_text,
                                   absl::string_view help, uint64_t min, uint64_t max);
  std::optional<absl::Duration> ReadDuration(absl::string_view key, std::string default_text,
                                             absl::string_view help, absl::Duration min,
                                             absl::Duration max);
  std::optional<std::string> ReadText(absl::string_view key, std::string default_text,
                                      absl::string_view help, TextCheck check);
  std::optional<size_t> ReadEnum(absl::string_view key, absl::string_view default_text,
                                 const std::vector<std::string>& words, absl::string_view help);
  // Visits the elements; `element` null is the call for the schema.
  void VisitList(absl::string_view key, absl::string_view help,
                 absl::FunctionRef<void(ConfigReader&)> visit);
  void VisitMap(absl::string_view key, absl::string_view placeholder, absl::string_view help,
                absl::FunctionRef<void(ConfigReader&, const std::string&)> visit);
  void AddElement(const std::vector<std::string>& path, const ConfigNode& node);
  void FinishMap();
  void FindUnknown(const ConfigNode& node, const Known& known, const std::string& prefix);
  std::optional<base::Secret> ReadSecret(absl::string_view key, const ConfigNode& node,
                                         bool is_path);

  std::shared_ptr<State> state_;
  const ConfigNode* node_;  // null: only the schema is wanted
  std::vector<std::string> path_;
  std::unique_ptr<Known> known_;
};

// The text of YAML that ParseConfig reads back to the same values; with `origins`, a comment behind
// each value says where it came from.
std::string ShowConfig(const std::vector<ConfigField>& values, bool origins);
// A Markdown table of the keys: key, type, default, meaning.
std::string ConfigTable(const std::vector<ConfigField>& schema);
// A scalar as YAML: plain where that is unambiguous, else in double quotes.
std::string QuoteYaml(absl::string_view text);

// ---- Templates ----

namespace internal {
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

// With a unit only where that says it exactly.
std::string ShowSize(uint64_t bytes);
// An empty text is no default worth showing.
std::string ShowText(const std::string& text);

// The default as text; an unset optional has none.
template <class Target, class Show>
std::string ShowDefault(const Target& target, Show show) {
  if constexpr (IsOptional<Target>::value) {
    return target.has_value() ? show(*target) : std::string();
  } else {
    return show(target);
  }
}
template <class Target>
auto ValueType(const Target& target) {
  if constexpr (IsOptional<Target>::value) {
    return typename Target::value_type{};
  } else {
    return target;
  }
}
}  // namespace internal

template <class Target>
void ConfigReader::Bool(absl::string_view key, Target* target, absl::string_view help) {
  const auto value = ReadBool(key, internal::ShowDefault(*target, ShowBool), help);
  if (value.has_value()) *target = *value;
}

template <class Target>
void ConfigReader::Int(absl::string_view key, Target* target, int64_t min, int64_t max,
                       absl::string_view help) {
  using Value = decltype(internal::ValueType(*target));
  const auto value = ReadInt(
      key, internal::ShowDefault(*target, [](Value v) { return absl::StrCat(v); }), min, max, help);
  if (value.has_value()) *target = static_cast<Value>(*value);
}

template <class Target>
void ConfigReader::Size(absl::string_view key, Target* target, absl::string_view help, uint64_t min,
                        uint64_t max) {
  const auto value =
      ReadSize(key, internal::ShowDefault(*target, internal::ShowSize), help, min, max);
  if (value.has_value()) *target = *value;
}

template <class Target>
void ConfigReader::Duration(absl::string_view key, Target* target, absl::string_view help,
                            absl::Duration min, absl::Duration max) {
  const auto value =
      ReadDuration(key, internal::ShowDefault(*target, FormatGoDuration), help, min, max);
  if (value.has_value()) *target = *value;
}

template <class Target>
void ConfigReader::Text(absl::string_view key, Target* target, absl::string_view help) {
  Text(key, target, help, [](absl::string_view) { return std::string(); });
}

template <class Target>
void ConfigReader::Text(absl::string_view key, Target* target, absl::string_view help,
                        TextCheck check) {
  auto value = ReadText(key, internal::ShowDefault(*target, internal::ShowText), help, check);
  if (value.has_value()) *target = *std::move(value);
}

template <class E>
void ConfigReader::Enum(absl::string_view key, E* target,
                        absl::Span<const std::pair<absl::string_view, E>> table,
                        absl::string_view help) {
  std::vector<std::string> words;
  absl::string_view default_text;
  for (const auto& [word, value] : table) {
    words.emplace_back(word);
    if (value == *target && default_text.empty()) default_text = word;
  }
  const std::optional<size_t> index = ReadEnum(key, default_text, words, help);
  if (index.has_value()) *target = table[*index].second;
}

template <class T>
void ConfigReader::List(absl::string_view key, std::vector<T>* target,
                        absl::FunctionRef<void(ConfigReader&, T&)> bind, absl::string_view help) {
  std::vector<T> read;
  bool any = false;
  VisitList(key, help, [&](ConfigReader& element) {
    T value{};
    bind(element, value);
    if (element.schema_only()) return;
    any = true;
    read.push_back(std::move(value));
  });
  if (any || Has(key)) *target = std::move(read);
}

template <class T>
void ConfigReader::Map(absl::string_view key, std::map<std::string, T>* target,
                       absl::string_view placeholder,
                       absl::FunctionRef<void(ConfigReader&, const std::string&, T&)> bind,
                       absl::string_view help) {
  VisitMap(key, placeholder, help, [&](ConfigReader& element, const std::string& name) {
    T sample{};
    bind(element, name, element.schema_only() ? sample : (*target)[name]);
  });
}

}  // namespace slipway::base
