// Reading a whole log back (E113): what it says, where it ends, and what of it is damaged. Only
// reads. Thread-safe: free functions.
//
// A crash leaves the last batch torn, and nothing else: there is never more than one write that no
// sync has followed. So what is broken is a torn tail, which is cut, only while nothing shows that
// it had been synced: a batch header behind it, a segment behind it, a record behind the end of its
// batch, or what the caller knows (HARD). Otherwise it is damage, and nothing is cut.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "eraft/wal/format.h"
#include "eraft/wal/log_index.h"
#include "eraft/wal/records.h"

namespace slipway::eraft::wal {

struct DamagedEntries {
  raft::GroupId group = 0;
  IndexRange range;
  friend bool operator==(const DamagedEntries&, const DamagedEntries&) = default;
};

// A stretch of a segment that cannot be read.
struct Damage {
  std::string file;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t first_sequence = 0, last_sequence = 0;  // of the records lost; last 0: unknown
  std::string why;
  std::vector<DamagedEntries> entries;  // so far as the bytes still tell
};

struct DamageReport {
  std::vector<Damage> damages;
  // What groups lack after all that could be read was read.
  std::vector<DamagedEntries> missing;

  bool empty() const { return damages.empty() && missing.empty(); }
  std::string Text() const;  // a line for each; for people
};

struct SegmentSummary {
  std::string name;
  SegmentHeader header;
  uint64_t file_bytes = 0;
  uint64_t used_bytes = 0;  // header and records
  uint64_t records = 0;
};

struct ReadOptions {
  std::optional<ClusterId> cluster;  // FailedPrecondition where a segment belongs to another
  // A sequence that the caller knows to have been durable.
  uint64_t durable_sequence = 0;
  // Called for each readable record, in order.
  absl::FunctionRef<void(const SegmentSummary&, const RecordRef&)>* visit = nullptr;
};

struct LogImage {
  LogIndex index;
  std::vector<SegmentSummary> segments;  // by number
  std::vector<std::string> strays;       // segments whose first write the crash cut: to remove
  bool has_spare = false;
  uint64_t number_max = 0;     // of any file's name
  uint64_t next_sequence = 1;  // of the next record
  // Of the last segment, from its used_bytes on: what a crash left of a batch, so far as that
  // shows.
  uint64_t torn_bytes = 0;
  // Where the next record goes, and how much before that no later write vouches for.
  uint32_t end_crc = 0;
  uint64_t last_batch_offset = 0;  // 0: the segment's header belongs to it
  uint64_t durable_sequence = 0;   // the highest that the log itself proves
  DamageReport report;
};

// That of a log of which nothing is left, although records up to `durable_sequence` were durable.
DamageReport MissingLog(uint64_t durable_sequence);

// Reads every segment of `dir`. An error is one of reading, or of a foreign log; damage is in the
// report, and then the image holds what is readable.
absl::StatusOr<LogImage> ReadLog(base::Dir& dir, const ReadOptions& options);

}  // namespace slipway::eraft::wal
