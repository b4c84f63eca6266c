// What decodes is, record by record, what encodes to the same bytes.
#include <string>

#include "base/check.h"
#include "base/recordlog/recordlog.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace base = slipway::base;
  const base::BytesView input(data, size);
  const absl::StatusOr<base::RecordLogContents> contents = base::DecodeRecordLog(input);
  if (!contents.ok()) return 0;
  std::string bytes;
  for (const std::string& record : contents->records) bytes += base::EncodeRecord(record);
  SLIPWAY_CHECK(base::AsBytes(bytes) == input.subspan(0, contents->valid_bytes));
  SLIPWAY_CHECK(contents->torn == (contents->valid_bytes != size));
  return 0;
}
