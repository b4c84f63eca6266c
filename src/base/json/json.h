// JSON values: one adapter over nlohmann/json with limits, and two writers. Thread-compatible.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base {

// A JSON value. Objects keep the order of their members, so that a rewritten file differs only
// where it was changed. Integers are exact from -2^63 to 2^64-1.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;
  enum class Type : uint8_t { kNull, kBool, kInt, kUint, kDouble, kString, kArray, kObject };

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<int64_t>(value)) {}
  Json(int64_t value) : value_(value) {}
  Json(uint64_t value) : value_(value) {}
  Json(unsigned value) : value_(static_cast<uint64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(absl::string_view value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  static Json MakeObject(std::initializer_list<Member> members = {}) {
    return Json(Object(members));
  }
  static Json MakeArray(std::initializer_list<Json> items = {}) { return Json(Array(items)); }

  Type type() const { return static_cast<Type>(value_.index()); }
  bool is_null() const { return type() == Type::kNull; }
  bool is_object() const { return type() == Type::kObject; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_string() const { return type() == Type::kString; }

  // The value if it has that type (integers convert where exact), else nullopt or nullptr.
  std::optional<bool> AsBool() const;
  std::optional<int64_t> AsInt() const;
  std::optional<uint64_t> AsUint() const;
  std::optional<double> AsDouble() const;
  const std::string* AsString() const;
  const Array* AsArray() const;
  const Object* AsObject() const;
  Array* MutableArray();    // a null becomes an empty array
  Object* MutableObject();  // a null becomes an empty object

  // The member `key` of an object; nullptr if it is missing or this is no object.
  const Json* Find(absl::string_view key) const;
  Json* Find(absl::string_view key);
  // Sets a member, in place or at the end. CHECK: an object or null.
  Json& Set(absl::string_view key, Json value);
  void Remove(absl::string_view key);
  void Append(Json value);  // CHECK: an array or null

  // Deep; members in order; an integer equals itself whether stored signed or unsigned.
  friend bool operator==(const Json& a, const Json& b);

  // `indent` 0: one line without spaces; 2: the usual pretty form. Order of members is kept. Text
  // that is not UTF-8 is written with U+FFFD (callers that must keep such bytes encode them first).
  std::string Dump(int indent = 0) const;
  // UTF-8, keys sorted bytewise, no spaces: for hashes (DECISIONS 2, audit log).
  std::string DumpCanonical() const;

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
  size_t bytes_max = 64 << 20;
  int depth_max = 64;
  size_t values_max = 4'000'000;
};

// InvalidArgument with line and column: not JSON, not UTF-8, a duplicate key, something after the
// value. ResourceExhausted: a limit, named.
absl::StatusOr<Json> ParseJson(absl::string_view text, const JsonLimits& limits = {});

}  // namespace slipway::base
