#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/semver/semver.h"
#include "base/status.h"

namespace slipway::base {
namespace {

bool IsAny(absl::string_view part) { return part == "x" || part == "X" || part == "*"; }

absl::Status Wrong(absl::string_view part, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("'", EscapeForTerminal(part), "': ", reason));
}

}  // namespace

absl::StatusOr<SemVerRange> SemVerRange::Parse(absl::string_view text) {
  const auto fail = [&](absl::string_view reason) {
    return absl::InvalidArgumentError(
        absl::StrCat("parse version range '",
                     EscapeForTerminal(text.substr(0, kSemVerRangeBytesMax)), "': ", reason));
  };
  if (text.size() > kSemVerRangeBytesMax) {
    return fail(absl::StrCat("longer than ", kSemVerRangeBytesMax, " bytes"));
  }
  SemVerRange range;
  range.text_ = std::string(text);
  const std::vector<absl::string_view> parts = absl::StrSplit(text, "||");
  for (absl::string_view part : parts) {
    // An empty range is a decision; an empty alternative beside others is a slip of the pen.
    if (parts.size() > 1 && absl::StripAsciiWhitespace(part).empty()) {
      return fail("an alternative of || is empty");
    }
    absl::StatusOr<All> all = ParseAll(part);
    if (!all.ok()) return fail(all.status().message());
    range.alternatives_.push_back(*std::move(all));
  }
  return range;
}

absl::StatusOr<SemVerRange::All> SemVerRange::ParseAll(absl::string_view text) {
  static constexpr struct {
    const char* sign;
    Operator op;
  } kOperators[] = {{">=", Operator::kAtLeast},  {"<=", Operator::kAtMost},
                    {"!=", Operator::kNotEqual}, {">", Operator::kGreater},
                    {"<", Operator::kLess},      {"=", Operator::kEqual},
                    {"^", Operator::kCaret},     {"~", Operator::kTilde}};
  All all;
  text = absl::StripAsciiWhitespace(text);
  while (!text.empty()) {
    Operator op = Operator::kEqual;
    for (const auto& candidate : kOperators) {
      if (!absl::StartsWith(text, candidate.sign)) continue;
      op = candidate.op;
      text.remove_prefix(absl::string_view(candidate.sign).size());
      break;
    }
    text = absl::StripLeadingAsciiWhitespace(text);
    // A comparator may follow without a space: ">=1<2".
    const absl::string_view partial = text.substr(0, text.find_first_of(" \t\r\n\v\f<>=!^~"));
    SLIPWAY_ASSIGN_OR_RETURN(Comparator comparator, ParsePartial(op, partial));
    all.push_back(std::move(comparator));
    text = absl::StripLeadingAsciiWhitespace(text.substr(partial.size()));
  }
  return all;
}

absl::StatusOr<SemVerRange::Comparator> SemVerRange::ParsePartial(Operator op,
                                                                  absl::string_view text) {
  if (text.empty()) return Wrong(text, "a version is missing");
  const absl::string_view numbers = text.substr(0, text.find_first_of("-+"));
  const std::vector<absl::string_view> parts = absl::StrSplit(numbers, '.');
  if (parts.size() > 3) return Wrong(text, "more than MAJOR.MINOR.PATCH");
  Comparator comparator;
  comparator.op = op;
  std::string full;
  bool open = false;
  for (size_t i = 0; i < 3; ++i) {
    const bool any = i >= parts.size() || IsAny(parts[i]);
    if (open && !any) return Wrong(text, "a number after x");
    open = any;
    if (!any) ++comparator.parts;
    absl::StrAppend(&full, i == 0 ? "" : ".", any ? "0" : parts[i]);
  }
  if (open && numbers.size() < text.size()) {
    return Wrong(text, "a prerelease or build needs MAJOR.MINOR.PATCH");
  }
  absl::StrAppend(&full, text.substr(numbers.size()));
  absl::StatusOr<SemVer> version = SemVer::Parse(full);
  if (!version.ok()) return Wrong(text, "not a version");
  comparator.version = *std::move(version);
  return comparator;
}

int SemVerRange::Comparator::ComparePrefix(const SemVer& other, int count) const {
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<size_t>(i);
    const int order = SemVer::CompareNumbers(other.numbers_[index], version.numbers_[index]);
    if (order != 0) return order;
  }
  return 0;
}

// Bounds are stated as equal leading numbers rather than as a next version: so nothing is counted
// up, and prereleases of the next version stay outside.
bool SemVerRange::Comparator::Contains(const SemVer& other) const {
  const int prefix = ComparePrefix(other, parts);
  const int order = parts == 3 ? other.Compare(version) : prefix;
  switch (op) {
    case Operator::kEqual:
      return order == 0;
    case Operator::kNotEqual:
      return order != 0;
    case Operator::kGreater:
      return order > 0;
    case Operator::kAtLeast:
      return order >= 0;
    case Operator::kLess:
      return order < 0;
    case Operator::kAtMost:
      return order <= 0;
    case Operator::kTilde:
      return order >= 0 && ComparePrefix(other, std::min(parts, 2)) == 0;
    case Operator::kCaret:
      break;
  }
  // ^ keeps the numbers up to the first that is not 0; of a partial version all that it gives.
  int kept = 1;
  while (kept < parts && version.numbers_[static_cast<size_t>(kept - 1)] == "0") ++kept;
  return order >= 0 && ComparePrefix(other, std::min(parts, kept)) == 0;
}

bool SemVerRange::Contains(const All& all, const SemVer& version) {
  bool named = !version.is_prerelease();
  for (const Comparator& comparator : all) {
    if (!comparator.Contains(version)) return false;
    named = named || (comparator.op != Operator::kNotEqual && comparator.version.is_prerelease() &&
                      comparator.ComparePrefix(version, 3) == 0);
  }
  return named;
}

bool SemVerRange::Contains(const SemVer& version) const {
  for (const All& all : alternatives_) {
    if (Contains(all, version)) return true;
  }
  return false;
}

}  // namespace slipway::base
