#include "deploy/model/component.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/semver/semver.h"
#include "base/status.h"
#include "deploy/model/errors.h"

namespace slipway::deploy {
namespace {

constexpr size_t kTypeBytesMax = 50;
// With the longest type and suffix this still makes a file name of less than 255 bytes.
constexpr size_t kVersionBytesMax = 128;
constexpr size_t kShownBytesMax = 200;

std::string Shown(absl::string_view text) {
  return absl::StrCat("'", base::EscapeForTerminal(text.substr(0, kShownBytesMax)), "'");
}

bool IsOf(absl::string_view text, absl::string_view punctuation) {
  return std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return absl::ascii_isalnum(c) || punctuation.find(static_cast<char>(c)) != punctuation.npos;
  });
}

// <0, 0, >0 for two digit runs of any length.
int CompareDigits(absl::string_view a, absl::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

size_t DigitRun(absl::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), absl::ascii_isdigit);
  return static_cast<size_t>(end - text.begin());
}

int CompareNatural(absl::string_view a, absl::string_view b) {
  while (!a.empty() && !b.empty()) {
    const size_t a_run = DigitRun(a);
    const size_t b_run = DigitRun(b);
    if (a_run > 0 && b_run > 0) {
      const int order = CompareDigits(a.substr(0, a_run), b.substr(0, b_run));
      if (order != 0) return order;
      a.remove_prefix(a_run);
      b.remove_prefix(b_run);
      continue;
    }
    if (a.front() != b.front()) return a.front() < b.front() ? -1 : 1;
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return static_cast<int>(!a.empty()) - static_cast<int>(!b.empty());
}

int ComparePrereleases(absl::string_view a, absl::string_view b) {
  const std::vector<absl::string_view> as = absl::StrSplit(a, '.');
  const std::vector<absl::string_view> bs = absl::StrSplit(b, '.');
  for (size_t i = 0; i < std::min(as.size(), bs.size()); ++i) {
    const bool a_number = !as[i].empty() && DigitRun(as[i]) == as[i].size();
    const bool b_number = !bs[i].empty() && DigitRun(bs[i]) == bs[i].size();
    if (a_number != b_number) return a_number ? -1 : 1;
    const int order = a_number ? CompareDigits(as[i], bs[i]) : as[i].compare(bs[i]);
    if (order != 0) return order;
  }
  return static_cast<int>(as.size() > bs.size()) - static_cast<int>(as.size() < bs.size());
}

// A version as a key of one order over all texts. A rule for pairs ("both SemVer, else natural")
// has cycles where the two kinds mix, and sorting by it is undefined.
struct Key {
  absl::string_view main;
  absl::string_view prerelease;
};

Key KeyOf(absl::string_view version) {
  const absl::string_view numbers = version.substr(0, version.find_first_of("-+"));
  const std::vector<absl::string_view> parts = absl::StrSplit(numbers, '.');
  const bool three = parts.size() == 3 && std::all_of(parts.begin(), parts.end(), [](auto part) {
                       return !part.empty() && DigitRun(part) == part.size();
                     });
  if (!three) return {version, {}};
  const absl::string_view release = version.substr(0, version.find('+'));
  if (release.size() <= numbers.size()) return {numbers, {}};
  return {numbers, release.substr(numbers.size() + 1)};
}

}  // namespace

absl::Status CheckType(absl::string_view type) {
  if (!type.empty() && type.size() <= kTypeBytesMax &&
      absl::ascii_isalpha(static_cast<unsigned char>(type.front())) && IsOf(type, "_-")) {
    return absl::OkStatus();
  }
  return Error(Dt::kType,
               absl::StrCat("check component type ", Shown(type),
                            ": must begin with a letter and have at most 50 of A-Z a-z 0-9 _ -"));
}

absl::Status CheckVersion(absl::string_view version, VersionScheme scheme) {
  const auto wrong = [&](absl::string_view reason) {
    return Error(
        Dt::kVersionFormat, absl::StrCat("check version ", Shown(version), ": ", reason),
        scheme == VersionScheme::kSemver ? "use MAJOR.MINOR.PATCH, for example 1.0.0" : "");
  };
  if (version.empty()) return wrong("is empty");
  if (version.size() > kVersionBytesMax) {
    return wrong(absl::StrCat("longer than ", kVersionBytesMax, " bytes"));
  }
  if (scheme == VersionScheme::kSemver) {
    return base::SemVer::Parse(version).ok() ? absl::OkStatus()
                                             : wrong("is not a semantic version");
  }
  if (version == "current" || version == "latest") return wrong("is a reserved word");
  if (!absl::ascii_isalnum(static_cast<unsigned char>(version.front())) || !IsOf(version, "._+-")) {
    return wrong("must begin with a letter or digit and have only A-Z a-z 0-9 . _ + -");
  }
  return absl::OkStatus();
}

absl::StatusOr<ComponentSpec> ParseSpec(absl::string_view text) {
  if (text.empty()) {
    return Error(Dt::kMissing, "parse component: empty",
                 "write type:version, for example model:1.0.0");
  }
  ComponentSpec spec;
  const size_t colon = text.find(':');
  spec.type = std::string(text.substr(0, colon));
  SLIPWAY_RETURN_IF_ERROR(CheckType(spec.type));
  if (colon == absl::string_view::npos) return spec;
  spec.version = std::string(text.substr(colon + 1));
  if (*spec.version != "latest") {
    SLIPWAY_RETURN_IF_ERROR(CheckVersion(*spec.version, VersionScheme::kAny));
  }
  return spec;
}

int CompareVersions(absl::string_view a, absl::string_view b) {
  const Key a_key = KeyOf(a);
  const Key b_key = KeyOf(b);
  if (const int order = CompareNatural(a_key.main, b_key.main); order != 0) return order;
  if (a_key.prerelease.empty() || b_key.prerelease.empty()) {
    return static_cast<int>(a_key.prerelease.empty()) - static_cast<int>(b_key.prerelease.empty());
  }
  return ComparePrereleases(a_key.prerelease, b_key.prerelease);
}

bool IsPrerelease(absl::string_view version) {
  const absl::StatusOr<base::SemVer> parsed = base::SemVer::Parse(version);
  return parsed.ok() && parsed->is_prerelease();
}

}  // namespace slipway::deploy
