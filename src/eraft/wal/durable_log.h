// The durable part of the log, shared between its writer and those who read old entries back
// (E106). Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/sync/mutex.h"
#include "eraft/wal/log_index.h"
#include "eraft/wal/records.h"

namespace slipway::eraft::wal {

struct Segment {
  uint64_t number = 0;
  std::unique_ptr<base::File> file;
};

// A plain copy of what is known of a group.
struct GroupView {
  raft::HardState hard_state;
  raft::SnapshotMark mark;
  std::optional<MembershipCopy> membership;
  std::optional<SnapshotIntent> intent;
  raft::Index first_index = 1;
  raft::Index last_index = 0;
};

class DurableLog {
 public:
  // Before any other thread: what recovery found. Segments in order.
  void Restore(LogIndex index, std::deque<std::shared_ptr<Segment>> segments);

  // ---- The writer ----
  void AddSegment(std::shared_ptr<Segment> segment);
  // CHECK: the records parse; the writer has just made them.
  void Apply(absl::Span<const RecordRef> records, uint64_t segment);
  // What a new segment begins with, for every group.
  struct GroupCheckpoint {
    raft::GroupId group = 0;
    Batch state;
    raft::Index last_entry = 0;  // 0: the log holds none of the group
  };
  std::vector<GroupCheckpoint> Checkpoints() const;
  // Entries to write again because they pin old segments (E115), of one group; none: nobody does.
  struct Pinned {
    raft::GroupId group = 0;
    raft::Index first = 0, last = 0;
  };
  std::vector<Pinned> FindPinned(uint64_t live_bytes_max) const;
  std::vector<std::pair<raft::GroupId, raft::HardState>> HardStates() const;

  // ---- Anybody ----
  // Entries [first, last] of the group, fewer when their payloads would pass `bytes_max` (but at
  // least one). NotFound: the group is unknown. OutOfRange: the log does not hold (or no longer)
  // all of them, which the text tells. DataLoss: the disk gave other bytes than were written.
  absl::StatusOr<std::vector<raft::Entry>> Read(raft::GroupId group, raft::Index first,
                                                raft::Index last, uint64_t bytes_max) const;
  std::optional<GroupView> Find(raft::GroupId group) const;
  std::vector<raft::GroupId> Groups() const;
  size_t segment_count() const;

  // ---- Retirement ----
  // The oldest segment if no group needs it, it is not the last, and nobody reads it. It stays so.
  std::optional<uint64_t> FindFreeSegment() const;
  // CHECK: the one that FindFreeSegment gave; its file is gone.
  void RemoveSegment(uint64_t number);

 private:
  struct Part {
    Extent extent;
    std::shared_ptr<Segment> segment;
  };
  absl::StatusOr<std::vector<Part>> Locate(raft::GroupId group, raft::Index first,
                                           raft::Index last) const;

  mutable base::Mutex mutex_;
  LogIndex index_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Segment>> segments_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft::wal
