#include "base/semver/semver.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/status.h"

namespace slipway::base {
namespace {

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

absl::Status CheckIdentifier(absl::string_view text, bool zeros_allowed) {
  const auto allowed = [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), allowed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("identifier '", EscapeForTerminal(text), "' is not of [0-9A-Za-z-]+"));
  }
  if (!zeros_allowed && IsNumber(text) && text.size() > 1 && text.front() == '0') {
    return absl::InvalidArgumentError(absl::StrCat("number '", text, "' has a leading zero"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SemVer> SemVer::Parse(absl::string_view text) {
  const auto wrong = [&](absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat(
        "parse version '", EscapeForTerminal(text.substr(0, kSemVerBytesMax)), "': ", reason));
  };
  if (text.size() > kSemVerBytesMax) {
    return wrong(absl::StrCat("longer than ", kSemVerBytesMax, " bytes"));
  }
  SemVer version;
  version.text_ = std::string(text);
  absl::string_view rest = text;
  if (const size_t plus = rest.find('+'); plus != absl::string_view::npos) {
    for (absl::string_view identifier : absl::StrSplit(rest.substr(plus + 1), '.')) {
      const absl::Status status = CheckIdentifier(identifier, /*zeros_allowed=*/true);
      if (!status.ok()) return wrong(status.message());
    }
    rest = rest.substr(0, plus);
  }
  if (const size_t dash = rest.find('-'); dash != absl::string_view::npos) {
    for (absl::string_view identifier : absl::StrSplit(rest.substr(dash + 1), '.')) {
      const absl::Status status = CheckIdentifier(identifier, /*zeros_allowed=*/false);
      if (!status.ok()) return wrong(status.message());
      version.prerelease_.emplace_back(identifier);
    }
    rest = rest.substr(0, dash);
  }
  const std::vector<absl::string_view> numbers = absl::StrSplit(rest, '.');
  if (numbers.size() != version.numbers_.size()) return wrong("expected MAJOR.MINOR.PATCH");
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!IsNumber(numbers[i])) return wrong("expected MAJOR.MINOR.PATCH as decimal numbers");
    const absl::Status status = CheckIdentifier(numbers[i], /*zeros_allowed=*/false);
    if (!status.ok()) return wrong(status.message());
    version.numbers_[i] = std::string(numbers[i]);
  }
  return version;
}

// Without leading zeros the longer number is the larger one: no width limits the comparison.
int SemVer::CompareNumbers(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

int SemVer::CompareIdentifiers(absl::string_view a, absl::string_view b) {
  const bool a_number = IsNumber(a);
  const bool b_number = IsNumber(b);
  if (a_number != b_number) return a_number ? -1 : 1;  // numbers come before words
  return a_number ? CompareNumbers(a, b) : a.compare(b);
}

int SemVer::Compare(const SemVer& other) const {
  for (size_t i = 0; i < numbers_.size(); ++i) {
    if (const int order = CompareNumbers(numbers_[i], other.numbers_[i]); order != 0) return order;
  }
  if (prerelease_.empty() || other.prerelease_.empty()) {
    // A release comes after all of its prereleases.
    return static_cast<int>(prerelease_.empty()) - static_cast<int>(other.prerelease_.empty());
  }
  const size_t common = std::min(prerelease_.size(), other.prerelease_.size());
  for (size_t i = 0; i < common; ++i) {
    const int order = CompareIdentifiers(prerelease_[i], other.prerelease_[i]);
    if (order != 0) return order;
  }
  if (prerelease_.size() == other.prerelease_.size()) return 0;
  return prerelease_.size() < other.prerelease_.size() ? -1 : 1;
}

}  // namespace slipway::base
