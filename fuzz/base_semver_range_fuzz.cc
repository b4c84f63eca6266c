// Two lines: a range and a version. Parsing and matching end, and a version is in "=" of itself.
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/semver/semver.h"

using slipway::base::SemVer;
using slipway::base::SemVerRange;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = slipway::base::AsText({data, size});
  const size_t end = text.find('\n');
  const absl::StatusOr<SemVerRange> range = SemVerRange::Parse(text.substr(0, end));
  const absl::StatusOr<SemVer> version =
      SemVer::Parse(end == absl::string_view::npos ? "1.2.3" : text.substr(end + 1));
  if (!version.ok()) return 0;
  SLIPWAY_CHECK(version->Compare(*version) == 0);
  const absl::StatusOr<SemVerRange> itself = SemVerRange::Parse(absl::StrCat("=", version->text()));
  SLIPWAY_CHECK(itself.ok());
  SLIPWAY_CHECK(itself->Contains(*version));
  if (!range.ok()) return 0;
  const bool inside = range->Contains(*version);
  const absl::StatusOr<SemVerRange> again = SemVerRange::Parse(range->text());
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(again->Contains(*version) == inside);
  return 0;
}
