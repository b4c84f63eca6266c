// What the bytes of one segment hold: the chain of records from its beginning, and, behind a break,
// what can still be proven to be a record. Pure; the fuzz target's entry. Thread-safe: free
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "eraft/wal/format.h"
#include "eraft/wal/records.h"

namespace slipway::eraft::wal {

struct SegmentScan {
  absl::Status header_status;  // OK, or why there is none
  DecodedSegmentHeader header;
  // Records without a gap from the first on, as views of the scanned bytes.
  std::vector<RecordRef> records;
  uint64_t end_offset = kSegmentHeaderBytes;  // where the next record would be
  uint64_t next_sequence = 0;                 // which it would be
  uint32_t end_crc = 0;                       // which it would continue
  // Of the last batch: where it begins, and how it was announced; none before the first.
  uint64_t last_batch_offset = 0;
  uint64_t last_batch_sequence = 0;
  std::optional<BatchHeader> last_batch;
};

SegmentScan ScanSegment(base::BytesView segment);

// Records behind a break, each run linked by its CRCs.
struct LaterRecords {
  struct Run {
    uint64_t begin_offset = 0, end_offset = 0;
    std::vector<RecordRef> records;
  };
  std::vector<Run> runs;
  // The highest sequence that a batch header in or before these runs says was durable; 0: none.
  uint64_t durable_sequence = 0;
  // Too much looked like records to try it all: take the segment for damaged.
  bool gave_up = false;
};
// Looks behind `scan.end_offset`, where the chain is broken or the header is bad, for records of
// sequence `sequence_min` and above: `scan.next_sequence` where there is a header.
LaterRecords FindLaterRecords(base::BytesView segment, const SegmentScan& scan,
                              uint64_t sequence_min);

}  // namespace slipway::eraft::wal
