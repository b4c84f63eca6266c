#include "base/json/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

namespace slipway::base {
namespace {

constexpr size_t kReasonBytesMax = 200;
// Up to here a scan of the members is cheaper than a set of their keys.
constexpr size_t kScannedMembersMax = 16;

void AppendString(absl::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = FirstCharacter(text.substr(i)).bytes;
    if (length == 0) {
      out.append("\xEF\xBF\xBD");
      ++i;
      continue;
    }
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\b':
        out.append("\\b");
        break;
      case '\f':
        out.append("\\f");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          out.append("\\u00");
          out.push_back(kHex[c >> 4]);
          out.push_back(kHex[c & 15]);
        } else {
          out.append(text.data() + i, length);
        }
    }
    i += length;
  }
  out.push_back('"');
}

// The shortest text that reads back as `value`, marked as a floating point number. JSON has no
// infinities and no NaN: null.
void AppendDouble(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out.append("null");
    return;
  }
  char buffer[64];
  const std::to_chars_result end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  const absl::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  absl::StrAppend(&out, text);
  if (text.find_first_of(".e") == absl::string_view::npos) out.append(".0");
}

struct DumpStyle {
  int indent = 0;
  bool sorted = false;
};

void NewLine(const DumpStyle& style, int depth, std::string& out) {
  if (style.indent == 0) return;
  out.push_back('\n');
  out.append(static_cast<size_t>(style.indent) * static_cast<size_t>(depth), ' ');
}

void Append(const Json& json, const DumpStyle& style, int depth, std::string& out);

void AppendObject(const Json::Object& object, const DumpStyle& style, int depth, std::string& out) {
  std::vector<const Json::Member*> members;
  members.reserve(object.size());
  for (const Json::Member& member : object) members.push_back(&member);
  if (style.sorted) {
    std::sort(members.begin(), members.end(),
              [](const Json::Member* a, const Json::Member* b) { return a->first < b->first; });
  }
  out.push_back('{');
  for (const Json::Member* member : members) {
    if (member != members.front()) out.push_back(',');
    NewLine(style, depth + 1, out);
    AppendString(member->first, out);
    out.append(style.indent == 0 ? ":" : ": ");
    Append(member->second, style, depth + 1, out);
  }
  if (!members.empty()) NewLine(style, depth, out);
  out.push_back('}');
}

void AppendArray(const Json::Array& array, const DumpStyle& style, int depth, std::string& out) {
  out.push_back('[');
  for (const Json& item : array) {
    if (&item != &array.front()) out.push_back(',');
    NewLine(style, depth + 1, out);
    Append(item, style, depth + 1, out);
  }
  if (!array.empty()) NewLine(style, depth, out);
  out.push_back(']');
}

void Append(const Json& json, const DumpStyle& style, int depth, std::string& out) {
  switch (json.type()) {
    case Json::Type::kNull:
      out.append("null");
      break;
    case Json::Type::kBool:
      out.append(*json.AsBool() ? "true" : "false");
      break;
    case Json::Type::kInt:
      absl::StrAppend(&out, *json.AsInt());
      break;
    case Json::Type::kUint:
      absl::StrAppend(&out, *json.AsUint());
      break;
    case Json::Type::kDouble:
      AppendDouble(*json.AsDouble(), out);
      break;
    case Json::Type::kString:
      AppendString(*json.AsString(), out);
      break;
    case Json::Type::kArray:
      AppendArray(*json.AsArray(), style, depth, out);
      break;
    case Json::Type::kObject:
      AppendObject(*json.AsObject(), style, depth, out);
      break;
  }
}

// An input iterator that leaves behind how far the parser has read: its callbacks for keys and
// values carry no position.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *read_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) {
    return a.at_ == b.at_;
  }

 private:
  const char* at_;
  const char** read_;
};

// Builds the value from the parser's events. A callback that returns false stops the parser; the
// reason is then in `status`. Nothing is thrown: the parser throws only where it builds values.
class Builder {
 public:
  Builder(absl::string_view text, const JsonLimits& limits)
      : text_(text), limits_(limits), read_(text.data()) {}

  const char** read() { return &read_; }
  absl::Status& status() { return status_; }
  Json& result() { return result_; }

  bool null() { return Add(Json()) != nullptr; }
  bool boolean(bool value) { return Add(Json(value)) != nullptr; }
  bool number_integer(int64_t value) { return Add(Json(value)) != nullptr; }
  bool number_unsigned(uint64_t value) { return Add(Json(value)) != nullptr; }
  bool number_float(double value, const std::string& token) {
    // The lexer hands over an integer that fits no 64 bits as a double; it would not be exact.
    if (token.find_first_of(".eE") == std::string::npos) {
      return Fail(absl::StatusCode::kInvalidArgument, "an integer outside -2^63 to 2^64-1");
    }
    return Add(Json(value)) != nullptr;
  }
  bool string(std::string& value) { return Add(Json(std::move(value))) != nullptr; }
  bool binary(nlohmann::json::binary_t&) { return false; }
  bool start_object(size_t) { return Open(Json(Json::Object())); }
  bool end_object() { return Close(); }
  bool start_array(size_t) { return Open(Json(Json::Array())); }
  bool end_array() { return Close(); }

  bool key(std::string& key) {
    Level& level = levels_.back();
    Json::Object& object = *level.json->MutableObject();
    if (!Unique(level, object, key)) {
      std::string shown = EscapeForTerminal(key.substr(0, kReasonBytesMax));
      return Fail(absl::StatusCode::kInvalidArgument,
                  absl::StrCat("duplicate key \"", shown, "\""));
    }
    object.emplace_back(std::move(key), Json());
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) {
    // Its text is "[name.id] parse error at line 1, column 2: reason"; the place is ours already.
    absl::string_view reason(error.what());
    const size_t place = reason.find(": ");
    if (place != absl::string_view::npos) reason.remove_prefix(place + 2);
    read_ = text_.data() + std::min(position, text_.size());
    return Fail(absl::StatusCode::kInvalidArgument,
                EscapeForTerminal(reason.substr(0, kReasonBytesMax)));
  }

 private:
  struct Level {
    Json* json;
    std::unique_ptr<absl::flat_hash_set<std::string>> keys;  // only of large objects
  };

  static bool Unique(Level& level, const Json::Object& object, const std::string& key) {
    if (object.size() < kScannedMembersMax) {
      return std::none_of(object.begin(), object.end(),
                          [&](const Json::Member& member) { return member.first == key; });
    }
    if (level.keys == nullptr) {
      level.keys = std::make_unique<absl::flat_hash_set<std::string>>();
      for (const Json::Member& member : object) level.keys->insert(member.first);
    }
    return level.keys->insert(key).second;
  }

  // Puts `value` where the text has it; the pointer is good until its container grows.
  Json* Add(Json value) {
    if (++values_ > limits_.values_max) {
      Fail(absl::StatusCode::kResourceExhausted,
           absl::StrCat("more values than the limit of ", limits_.values_max));
      return nullptr;
    }
    if (levels_.empty()) {
      result_ = std::move(value);
      return &result_;
    }
    Json& parent = *levels_.back().json;
    if (parent.is_array()) return &parent.MutableArray()->emplace_back(std::move(value));
    Json& slot = parent.MutableObject()->back().second;
    slot = std::move(value);
    return &slot;
  }

  bool Open(Json container) {
    if (levels_.size() >= static_cast<size_t>(limits_.depth_max)) {
      return Fail(absl::StatusCode::kResourceExhausted,
                  absl::StrCat("nested deeper than the limit of ", limits_.depth_max));
    }
    Json* added = Add(std::move(container));
    if (added == nullptr) return false;
    levels_.push_back({added, nullptr});
    return true;
  }

  bool Close() {
    levels_.pop_back();
    return true;
  }

  bool Fail(absl::StatusCode code, absl::string_view reason) {
    const absl::string_view before(text_.data(), static_cast<size_t>(read_ - text_.data()));
    const size_t line_start = before.rfind('\n');
    const size_t column =
        line_start == absl::string_view::npos ? before.size() : before.size() - line_start - 1;
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    status_ = absl::Status(code, absl::StrCat("parse JSON: line ", line, ", column ",
                                              std::max<size_t>(column, 1), ": ", reason));
    return false;
  }

  absl::string_view text_;
  const JsonLimits& limits_;
  const char* read_;
  Json result_;
  std::vector<Level> levels_;
  size_t values_ = 0;
  absl::Status status_;
};

}  // namespace

std::optional<bool> Json::AsBool() const {
  const bool* value = std::get_if<bool>(&value_);
  return value == nullptr ? std::nullopt : std::optional<bool>(*value);
}

std::optional<int64_t> Json::AsInt() const {
  if (const int64_t* value = std::get_if<int64_t>(&value_)) return *value;
  if (const uint64_t* value = std::get_if<uint64_t>(&value_)) {
    if (*value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return static_cast<int64_t>(*value);
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> Json::AsUint() const {
  if (const uint64_t* value = std::get_if<uint64_t>(&value_)) return *value;
  if (const int64_t* value = std::get_if<int64_t>(&value_)) {
    if (*value >= 0) return static_cast<uint64_t>(*value);
  }
  return std::nullopt;
}

std::optional<double> Json::AsDouble() const {
  constexpr int64_t kExactMax = int64_t{1} << 53;
  if (const double* value = std::get_if<double>(&value_)) return *value;
  const std::optional<int64_t> integer = AsInt();
  if (!integer || *integer > kExactMax || *integer < -kExactMax) return std::nullopt;
  return static_cast<double>(*integer);
}

const std::string* Json::AsString() const { return std::get_if<std::string>(&value_); }
const Json::Array* Json::AsArray() const { return std::get_if<Array>(&value_); }
const Json::Object* Json::AsObject() const { return std::get_if<Object>(&value_); }

Json::Array* Json::MutableArray() {
  if (is_null()) value_ = Array();
  return std::get_if<Array>(&value_);
}

Json::Object* Json::MutableObject() {
  if (is_null()) value_ = Object();
  return std::get_if<Object>(&value_);
}

const Json* Json::Find(absl::string_view key) const {
  const Object* object = AsObject();
  if (object == nullptr) return nullptr;
  for (const Member& member : *object) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

Json* Json::Find(absl::string_view key) {
  return const_cast<Json*>(static_cast<const Json*>(this)->Find(key));
}

Json& Json::Set(absl::string_view key, Json value) {
  Object* object = MutableObject();
  SLIPWAY_CHECK(object != nullptr);
  Json* member = Find(key);
  if (member == nullptr) {
    object->emplace_back(std::string(key), std::move(value));
    return object->back().second;
  }
  *member = std::move(value);
  return *member;
}

void Json::Remove(absl::string_view key) {
  Object* object = std::get_if<Object>(&value_);
  if (object == nullptr) return;
  object->erase(std::remove_if(object->begin(), object->end(),
                               [&](const Member& member) { return member.first == key; }),
                object->end());
}

void Json::Append(Json value) {
  Array* array = MutableArray();
  SLIPWAY_CHECK(array != nullptr);
  array->push_back(std::move(value));
}

bool operator==(const Json& a, const Json& b) {
  // One number may have been stored signed or unsigned.
  const bool integers = (a.type() == Json::Type::kInt && b.type() == Json::Type::kUint) ||
                        (a.type() == Json::Type::kUint && b.type() == Json::Type::kInt);
  if (integers) return a.AsUint().has_value() && a.AsUint() == b.AsUint();
  return a.value_ == b.value_;
}

std::string Json::Dump(int indent) const {
  std::string out;
  slipway::base::Append(*this, {.indent = indent, .sorted = false}, 0, out);
  return out;
}

std::string Json::DumpCanonical() const {
  std::string out;
  slipway::base::Append(*this, {.indent = 0, .sorted = true}, 0, out);
  return out;
}

absl::StatusOr<Json> ParseJson(absl::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "parse JSON: ", text.size(), " bytes, more than the limit of ", limits.bytes_max));
  }
  // The lexer takes a zero byte for the end of the text and would not see what follows it.
  const size_t zero = text.find('\0');
  if (zero != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("parse JSON: zero byte at offset ", zero));
  }
  Builder builder(text, limits);
  const CountingIterator first(text.data(), builder.read());
  const CountingIterator last(text.data() + text.size(), builder.read());
  if (!nlohmann::json::sax_parse(first, last, &builder)) {
    SLIPWAY_CHECK(!builder.status().ok());
    return std::move(builder.status());
  }
  return std::move(builder.result());
}

}  // namespace slipway::base
