// The readers of what lies on a node's disk. A segment: every record that the chain holds encodes
// to the bytes it was read from, and looking behind a break ends. A file kept twice: what decodes
// is what encodes to the same bytes.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "eraft/wal/log_index.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/scan.h"
#include "eraft/wal/two_copy.h"

namespace {

namespace base = slipway::base;
namespace wal = slipway::eraft::wal;

void ReadSegment(base::BytesView input) {
  // The header's zeros are not stored: 64 bytes of it come first.
  constexpr size_t kHeaderPart = 64;
  base::Bytes segment(wal::kSegmentHeaderBytes);
  const size_t part = std::min(kHeaderPart, input.size());
  if (part > 0) std::memcpy(segment.data(), input.data(), part);
  segment.insert(segment.end(), input.begin() + static_cast<std::ptrdiff_t>(part), input.end());
  const wal::SegmentScan scan = wal::ScanSegment(segment);
  wal::LogIndex index;
  uint64_t offset = wal::kSegmentHeaderBytes;
  for (const wal::RecordRef& record : scan.records) {
    SLIPWAY_CHECK(record.offset == offset);
    offset += wal::RecordBytes(record.header.length);
    base::Bytes header(wal::kRecordHeaderBytes);
    wal::EncodeRecordHeader(record.header, header.data());
    SLIPWAY_CHECK(std::memcmp(header.data(), segment.data() + record.offset, 4) == 0);
    SLIPWAY_CHECK(std::memcmp(header.data() + 8, segment.data() + record.offset + 8, 20) == 0);
    wal::FindBadEntries(record.payload);
    index.Apply(record, 1).IgnoreError();
  }
  SLIPWAY_CHECK(offset == scan.end_offset);
  const wal::LaterRecords later = wal::FindLaterRecords(segment, scan, scan.next_sequence);
  for (const wal::LaterRecords::Run& run : later.runs) {
    SLIPWAY_CHECK(run.begin_offset >= scan.end_offset);
    for (const wal::RecordRef& record : run.records) index.Apply(record, 1).IgnoreError();
  }
  for (const auto& [id, group] : index.groups()) group.Missing();
}

void ReadTwoCopies(base::BytesView input) {
  const absl::StatusOr<wal::TwoCopyContents> contents = wal::DecodeTwoCopy(input);
  if (!contents.ok()) return;
  const base::Bytes again = wal::EncodeTwoCopy(*contents);
  SLIPWAY_CHECK(base::BytesView(again) == input.subspan(0, again.size()));
  const auto hard = wal::DecodeHard(contents->payload);
  if (hard.ok()) wal::EncodeHard(*hard);
  const auto identity = wal::DecodeIdentity(contents->payload);
  if (identity.ok()) wal::EncodeIdentity(*identity);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const base::BytesView input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    ReadSegment(input);
  } else {
    ReadTwoCopies(input);
  }
  return 0;
}
