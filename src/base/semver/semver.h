// Versions by Semantic Versioning 2.0.0 (semver.org) and ranges of them (D176, in the meaning that
// npm gives to the same signs). Values; thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base {

inline constexpr size_t kSemVerBytesMax = 256;
inline constexpr size_t kSemVerRangeBytesMax = 1024;

// MAJOR.MINOR.PATCH[-prerelease][+build]. Numbers may have any number of digits.
class SemVer {
 public:
  // Strict: no leading "v" or zeros, no missing part, no space. InvalidArgument with what is wrong.
  static absl::StatusOr<SemVer> Parse(absl::string_view text);

  const std::string& text() const { return text_; }
  bool is_prerelease() const { return !prerelease_.empty(); }
  // Precedence (section 11): <0, 0, >0. Build metadata does not count.
  int Compare(const SemVer& other) const;

 private:
  friend class SemVerRange;
  SemVer() = default;
  static int CompareNumbers(absl::string_view a, absl::string_view b);
  static int CompareIdentifiers(absl::string_view a, absl::string_view b);

  std::string text_;
  std::array<std::string, 3> numbers_;   // digits without leading zeros
  std::vector<std::string> prerelease_;  // identifiers between dots
};

// alternatives ::= all { "||" all };  all ::= comparator { " " comparator }
// comparator ::= [ "=" "!=" ">" ">=" "<" "<=" "^" "~" ] partial
// partial ::= "*" | version with parts left out at the end or written x, X, *
//
//   1.2 = 1.2.x = any 1.2.*      ~1.2.3: 1.2.3 and later patches       ~1: any 1.*
//   ^1.2.3: 1.2.3 and later before 2.0.0     ^0.2.3: before 0.3.0      ^0.0.3: only 0.0.3
//   >1.2: from 1.3.0    <=1.2: up to the last 1.2.*    >=1.2: from 1.2.0    <1.2: before 1.2.0
//
// A prerelease is contained only if a comparator other than != of the same alternative names a
// prerelease of the same MAJOR.MINOR.PATCH. The empty range contains every release.
class SemVerRange {
 public:
  // InvalidArgument with the part that is wrong.
  static absl::StatusOr<SemVerRange> Parse(absl::string_view text);

  const std::string& text() const { return text_; }
  bool Contains(const SemVer& version) const;

 private:
  enum class Operator : uint8_t {
    kEqual,
    kNotEqual,
    kGreater,
    kAtLeast,
    kLess,
    kAtMost,
    kCaret,
    kTilde
  };
  struct Comparator {
    Operator op = Operator::kEqual;
    int parts = 0;   // how many of the numbers are given, 0 to 3
    SemVer version;  // missing numbers are 0
    bool Contains(const SemVer& other) const;
    // Compares the first `count` numbers only.
    int ComparePrefix(const SemVer& other, int count) const;
  };
  using All = std::vector<Comparator>;

  SemVerRange() = default;
  static absl::StatusOr<All> ParseAll(absl::string_view text);
  static absl::StatusOr<Comparator> ParsePartial(Operator op, absl::string_view text);
  static bool Contains(const All& all, const SemVer& version);

  std::string text_;
  std::vector<All> alternatives_;
};

}  // namespace slipway::base
