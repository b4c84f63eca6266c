// A publish record, and a release, that parses is written so that it parses to the same; a record
// merged with itself stays what it is.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "base/json/json.h"
#include "deploy/repository/codec.h"

using slipway::deploy::ParseRecord;
using slipway::deploy::ParseRelease;
using slipway::deploy::PublishRecord;
using slipway::deploy::Release;
using slipway::deploy::WriteRecord;
using slipway::deploy::WriteRelease;

namespace {

void TryRecord(absl::string_view text) {
  const absl::StatusOr<PublishRecord> record = ParseRecord(text);
  if (!record.ok()) return;
  const std::string written = WriteRecord(*record);
  const absl::StatusOr<PublishRecord> again = ParseRecord(written);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(again->locations == record->locations);
  SLIPWAY_CHECK(WriteRecord(*again) == written);
  PublishRecord merged = *record;
  slipway::deploy::MergeRecord(merged, *record);
  SLIPWAY_CHECK(WriteRecord(merged) == written);
  const auto document = slipway::base::ParseJson(text);
  SLIPWAY_CHECK(document.ok());
  SLIPWAY_CHECK(ParseRecord(WriteRecord(*record, &*document)).ok());
}

void TryRelease(absl::string_view text) {
  const absl::StatusOr<Release> release = ParseRelease(text);
  if (!release.ok()) return;
  const std::string written = WriteRelease(*release);
  const absl::StatusOr<Release> again = ParseRelease(written);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(WriteRelease(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = slipway::base::AsText({data, size});
  TryRecord(text);
  TryRelease(text);
  (void)slipway::deploy::ScrubCheck(text, {});
  return 0;
}
