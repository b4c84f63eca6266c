// What is in an index, a clean mark or a format file is refused, or is written as it was read.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "cas/store/format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const slipway::base::BytesView bytes(data, size);
  if (const auto record = slipway::cas::DecodeRecord(bytes); record.ok()) {
    const auto written = slipway::cas::EncodeRecord(*record);
    SLIPWAY_CHECK(std::equal(written.begin(), written.end(), bytes.begin(), bytes.end()));
  }
  if (const auto mark = slipway::cas::DecodeMark(bytes); mark.ok()) {
    SLIPWAY_CHECK(slipway::cas::EncodeMark(*mark) == slipway::base::AsText(bytes));
  }
  const auto version = slipway::cas::ParseFormatLine(slipway::base::AsText(bytes));
  if (version.ok()) SLIPWAY_CHECK(*version > 0);
  return 0;
}
