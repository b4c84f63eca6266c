// Payloads of log records, and the builder of what one write carries. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "eraft/wal/format.h"
#include "raft/types.h"

namespace slipway::eraft::wal {

// The membership that the entry `index` brought in.
struct MembershipCopy {
  raft::Index index = 0;
  raft::Membership membership;
  friend bool operator==(const MembershipCopy&, const MembershipCopy&) = default;
};

// A snapshot is about to take the state machine's place (E162). `detail` tells recovery where its
// files are.
struct SnapshotIntent {
  raft::SnapshotMark mark;
  std::string detail;
  friend bool operator==(const SnapshotIntent&, const SnapshotIntent&) = default;
};

struct SnapshotDone {
  raft::Index index = 0;
  raft::Term term = 0;
  bool discarded = false;  // the intent was given up
};

// What one group wants durable, in the order in which it takes effect. Done together: when the call
// that brought it is answered, all of it is durable; after a crash before that, a prefix may be.
struct Batch {
  std::optional<raft::HardState> hard_state;
  std::optional<raft::Index> truncate_suffix_from;  // entries at or above it are void
  // Without gaps; entries of the log at or above the first one's index are void.
  std::vector<raft::Entry> entries;
  std::optional<MembershipCopy> membership;
  std::optional<SnapshotIntent> snapshot_intent;
  // Entries up to it are in the engine durably and in no other way needed.
  std::optional<raft::SnapshotMark> truncate_prefix;
  std::optional<SnapshotDone> snapshot_done;
  bool remove_group = false;  // the group has left this node

  bool empty() const;
};

// ---- Payloads. Parse: DataLoss for what the encoder did not write ----

struct EntriesSummary {
  raft::Index first = 0;
  uint32_t count = 0;
};
absl::StatusOr<EntriesSummary> ParseEntriesSummary(base::BytesView payload);
// Entries [first, last] of the record, which are in it; their bytes stay where they are, in
// `owner`. DataLoss also where an entry's own CRC differs.
absl::StatusOr<std::vector<raft::Entry>> ParseEntries(
    const std::shared_ptr<const base::Bytes>& owner, base::BytesView payload, raft::Index first,
    raft::Index last);
// Of a payload whose record failed its CRC: indexes whose own CRC differs, so far as its table can
// be read; empty when it cannot or when none differs.
std::vector<raft::Index> FindBadEntries(base::BytesView payload);

absl::StatusOr<raft::HardState> ParseHardState(base::BytesView payload);
absl::StatusOr<raft::SnapshotMark> ParseMark(base::BytesView payload);
absl::StatusOr<raft::Index> ParseIndex(base::BytesView payload);
absl::StatusOr<MembershipCopy> ParseMembership(base::BytesView payload);
absl::StatusOr<SnapshotIntent> ParseIntent(base::BytesView payload);
absl::StatusOr<SnapshotDone> ParseDone(base::BytesView payload, uint8_t flags);

struct BatchHeader {
  uint64_t durable_sequence = 0;  // records up to it were synced before this batch was written
  uint32_t records = 0;           // that follow in this batch
  uint64_t bytes = 0;             // of the batch with this record
};
absl::StatusOr<BatchHeader> ParseBatchHeader(base::BytesView payload);

// ---- Building ----

// Where a record lies, with all that reading it back needs.
struct RecordRef {
  uint64_t offset = 0;  // in its segment
  uint32_t seed = 0;    // CRC of the record before
  RecordHeader header;
  base::BytesView payload;  // valid as long as the bytes it was found in
};

// Bytes that the records of `batch` take.
uint64_t EncodedBytes(const Batch& batch);
// Of one entries record.
uint64_t EntriesRecordBytes(absl::Span<const raft::Entry> entries);

// Records of several groups behind one batch header.
class BatchBuilder {
 public:
  // `buffer` is used again, whatever it holds, so that a batch need not have new memory.
  explicit BatchBuilder(base::Bytes buffer = {});
  void Add(raft::GroupId group, const Batch& batch);
  void AddEntries(raft::GroupId group, absl::Span<const raft::Entry> entries, uint8_t flags);
  // Of a segment's first batch: up to `last` older segments hold the group's entries.
  void AddLastEntry(raft::GroupId group, raft::Index last);
  // Bytes so far, the batch header's included.
  uint64_t bytes() const { return used_; }
  size_t records() const { return begun_.size() - 1; }

  struct Place {
    uint64_t offset = 0;  // of the batch in its segment
    uint64_t sequence = 0;
    uint32_t epoch_low = 0;
    uint32_t seed = 0;
    uint64_t durable_sequence = 0;
  };
  struct Built {
    base::Bytes buffer;              // at least as long as the batch
    base::BytesView bytes;           // of `buffer`: the batch
    std::vector<RecordRef> records;  // the batch header first; views of `buffer`
    uint32_t crc = 0;                // of the last record
  };
  // Fills in what depends on the place. Once.
  Built Finish(const Place& place);

 private:
  uint8_t* Begin(RecordType type, raft::GroupId group, uint8_t flags, uint64_t payload_bytes);
  base::Bytes buffer_;
  uint64_t used_ = 0;
  struct Begun {
    uint64_t offset = 0;
    SummedPart known;
  };
  std::vector<Begun> begun_;  // the records
};

}  // namespace slipway::eraft::wal
