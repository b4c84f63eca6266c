#include "base/units.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace slipway::base {
namespace {

struct SizeUnit {
  absl::string_view name;
  uint64_t bytes;
};
constexpr std::array<SizeUnit, 10> kSizeUnits = {{
    {"", 1},
    {"B", 1},
    {"KiB", kKiB},
    {"MiB", kMiB},
    {"GiB", kGiB},
    {"TiB", kTiB},
    {"kB", 1000},
    {"MB", 1000 * 1000},
    {"GB", 1000000000ull},
    {"TB", 1000000000000ull},
}};
constexpr uint64_t kSizeMax = std::numeric_limits<int64_t>::max();

absl::Status BadSize(absl::string_view text, absl::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("read size \"", text, "\": ", reason,
                   "; write bytes or a number with B, KiB, MiB, GiB, TiB, kB, MB, GB or TB"));
}

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

// Decimal digits with at most one point, as an exact fraction numerator / 10^decimals.
struct Decimal {
  uint64_t numerator = 0;
  uint64_t denominator = 1;
};
bool ParseDecimal(absl::string_view text, Decimal& out) {
  if (text.empty() || text.size() > 19 || !IsDigit(text.front()) || !IsDigit(text.back()))
    return false;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (!IsDigit(c)) return false;
    out.numerator = out.numerator * 10 + static_cast<uint64_t>(c - '0');
    if (point) out.denominator *= 10;
  }
  return true;
}

// Whether `text` has the form of `pattern`, in which 0 stands for a digit.
bool HasForm(absl::string_view text, absl::string_view pattern) {
  return std::equal(text.begin(), text.end(), pattern.begin(), pattern.end(), [](char c, char p) {
    return p == '0' ? IsDigit(c) : absl::ascii_toupper(static_cast<unsigned char>(c)) == p;
  });
}

// 2024-01-20T10:00:00, a fraction or none, and Z or +01:00; the numbers are not looked at.
bool LooksLikeRfc3339(absl::string_view text) {
  constexpr absl::string_view kTime = "0000-00-00T00:00:00";
  if (text.size() <= kTime.size() || !HasForm(text.substr(0, kTime.size()), kTime)) return false;
  text.remove_prefix(kTime.size());
  if (text.front() == '.') {
    size_t end = 1;
    while (end < text.size() && IsDigit(text[end])) ++end;
    if (end == 1) return false;
    text.remove_prefix(end);
  }
  return HasForm(text, "Z") || HasForm(text, "+00:00") || HasForm(text, "-00:00");
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && (IsDigit(text[digits]) || text[digits] == '.')) ++digits;
  const absl::string_view unit_name = absl::StripLeadingAsciiWhitespace(text.substr(digits));
  Decimal number;
  if (!ParseDecimal(text.substr(0, digits), number)) return BadSize(text, "not a number");
  const auto unit = std::find_if(kSizeUnits.begin(), kSizeUnits.end(),
                                 [&](const SizeUnit& u) { return u.name == unit_name; });
  if (unit == kSizeUnits.end())
    return BadSize(text, absl::StrCat("unknown unit \"", unit_name, "\""));
  const unsigned __int128 scaled = static_cast<unsigned __int128>(number.numerator) * unit->bytes;
  if (scaled % number.denominator != 0) return BadSize(text, "not a whole number of bytes");
  const unsigned __int128 bytes = scaled / number.denominator;
  if (bytes > kSizeMax) return BadSize(text, "larger than 2^63-1 bytes");
  return static_cast<uint64_t>(bytes);
}

std::string FormatSize(uint64_t bytes) {
  constexpr std::array<absl::string_view, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes);
  // 1023.5 and more would round to "1024": take the next unit.
  while (unit + 1 < kNames.size() && value >= 1023.5) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value >= 99.95 || unit == 0;
  std::string text = whole ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.1f", value);
  if (text.size() > 2 && text.substr(text.size() - 2) == ".0") text.resize(text.size() - 2);
  return absl::StrCat(text, kNames[unit]);
}

std::string FormatSizeDecimal(uint64_t bytes) {
  constexpr std::array<absl::string_view, 5> kNames = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (unit + 1 < kNames.size() && bytes >= 1000) {
    bytes /= 1000;
    ++unit;
  }
  return absl::StrCat(bytes, kNames[unit]);
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  const auto bad = [&](absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat("read duration \"", text, "\": ", reason,
                                                   "; write for example 30s, 500ms, 1h30m or 30d"));
  };
  struct Unit {
    absl::string_view name;
    int64_t nanoseconds;
  };
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr int64_t kLongest = int64_t{290} * 365 * 24 * 3600 * kSecond;
  // Longer names first: "ms" before "m".
  constexpr std::array<Unit, 8> kUnits = {{{"ns", 1},
                                           {"us", 1000},
                                           {"\xC2\xB5s", 1000},
                                           {"ms", 1'000'000},
                                           {"s", kSecond},
                                           {"m", 60 * kSecond},
                                           {"h", 3600 * kSecond},
                                           {"d", 24 * 3600 * kSecond}}};
  absl::string_view rest = text;
  const bool negative = !rest.empty() && rest[0] == '-';
  if (negative) rest.remove_prefix(1);
  if (rest == "0") return absl::ZeroDuration();
  if (rest.empty()) return bad("empty");
  unsigned __int128 total = 0;  // nanoseconds
  while (!rest.empty()) {
    size_t digits = 0;
    while (digits < rest.size() && (IsDigit(rest[digits]) || rest[digits] == '.')) ++digits;
    Decimal number;
    if (!ParseDecimal(rest.substr(0, digits), number)) return bad("a number is missing");
    rest.remove_prefix(digits);
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) {
      return rest.substr(0, u.name.size()) == u.name;
    });
    if (unit == kUnits.end()) return bad("a unit is missing");
    rest.remove_prefix(unit->name.size());
    total += static_cast<unsigned __int128>(number.numerator) *
             static_cast<unsigned __int128>(unit->nanoseconds) / number.denominator;
    if (total > kLongest) return bad("longer than 290 years");
  }
  const absl::Duration duration = absl::Nanoseconds(static_cast<int64_t>(total));
  return negative ? -duration : duration;
}

std::string FormatGoDuration(absl::Duration duration) {
  std::string text = absl::FormatDuration(duration);  // Go's form, "0" for zero
  return text == "0" ? "0s" : text;
}

std::string FormatRfc3339(absl::Time time) {
  // 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
  const absl::Time clamped = std::clamp(time, absl::FromUnixSeconds(-62'167'219'200),
                                        absl::FromUnixSeconds(253'402'300'799));
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%SZ", clamped, absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> ParseRfc3339(absl::string_view text) {
  absl::Time time;
  std::string reason = "not in the form of RFC 3339";
  // The library's own reader also takes blanks, years of any length, and words for infinity.
  if (!LooksLikeRfc3339(text) || !absl::ParseTime(absl::RFC3339_full, text, &time, &reason)) {
    return absl::InvalidArgumentError(absl::StrCat("read time \"", text, "\": ", reason,
                                                   "; write for example 2024-01-20T10:00:00Z"));
  }
  return time;
}

}  // namespace slipway::base
