// What the log says of each group: durable state in memory, entries as places on the disk. Recovery
// and the writer feed it the same records. Thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "eraft/wal/records.h"
#include "raft/types.h"

namespace slipway::eraft::wal {

// Entries [first, first + count) as a part of one record.
struct Extent {
  raft::Index first = 0;
  uint64_t segment = 0;
  uint32_t count = 0;
  uint32_t offset = 0;  // of the record in the segment
  uint32_t bytes = 0;   // of the record
  uint32_t seed = 0;    // of its CRC

  raft::Index last() const { return first + count - 1; }
};

struct IndexRange {
  raft::Index first = 0;
  raft::Index last = 0;
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

class GroupLog {
 public:
  const raft::HardState& hard_state() const { return hard_state_; }
  const raft::SnapshotMark& mark() const { return mark_; }
  const std::optional<MembershipCopy>& membership() const { return membership_; }
  // A snapshot whose install was announced and not yet finished.
  const std::optional<SnapshotIntent>& intent() const { return intent_; }
  // mark().index + 1 and mark().index where there is no entry.
  raft::Index first_index() const;
  raft::Index last_index() const;
  // Sorted, without overlap; with gaps only if the log was damaged.
  const std::deque<Extent>& extents() const { return extents_; }
  // Bytes of records with live entries, by segment.
  const std::map<uint64_t, uint64_t>& live_bytes() const { return live_bytes_; }
  // Indexes above the mark that should be there and are not: gaps, and what a segment promised that
  // older ones hold.
  std::vector<IndexRange> Missing() const;
  // What a new segment repeats, so that the older ones are not needed for it.
  Batch Checkpoint() const;

 private:
  friend class LogIndex;
  void Void(raft::Index from);
  void Append(const Extent& extent);
  void Replace(const Extent& extent);
  void EraseFrom(raft::Index first);
  void EraseUpTo(raft::Index last);
  void Use(const Extent& extent) { live_bytes_[extent.segment] += extent.bytes; }
  void Release(const Extent& extent);

  raft::HardState hard_state_;
  raft::SnapshotMark mark_;
  std::optional<MembershipCopy> membership_;
  std::optional<SnapshotIntent> intent_;
  std::deque<Extent> extents_;
  std::map<uint64_t, uint64_t> live_bytes_;
  // Entries up to it were there when a segment began, and nothing has made them void since.
  raft::Index promised_last_ = 0;
};

class LogIndex {
 public:
  // Takes the record's effect in. DataLoss for a payload that says nothing (its CRC was right, so
  // the writer had a bug); nothing changed.
  absl::Status Apply(const RecordRef& record, uint64_t segment);

  const std::map<raft::GroupId, GroupLog>& groups() const { return groups_; }
  const GroupLog* Find(raft::GroupId group) const;
  // Whether some group has a live entry in the segment.
  bool Uses(uint64_t segment) const;

 private:
  absl::Status ApplyEntries(const RecordRef& record, uint64_t segment);
  std::map<raft::GroupId, GroupLog> groups_;
};

}  // namespace slipway::eraft::wal
