// The files of the log: made full of zeros ahead of their use, renamed into it, and used again or
// removed after it (E111). Thread-safe: the writer begins segments while a background job makes
// spares and retires old ones.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/sync/mutex.h"
#include "eraft/wal/format.h"

namespace slipway::eraft::wal {

// An error of these calls is final (E114) but for ResourceExhausted, which comes only where nothing
// was begun: the call may be repeated when there is room. A failed sync is never ResourceExhausted.
class SegmentFiles {
 public:
  SegmentFiles(base::Dir& dir, uint64_t segment_bytes) : dir_(dir), segment_bytes_(segment_bytes) {}

  // Looks at what an earlier process left: spares of the right size stay, others go.
  absl::Status Open();
  // A file of `bytes`, its blocks allocated, whose name is durable. One of segment_bytes takes a
  // spare if there is one. What it holds is zeros or an earlier life.
  base::Owned<base::File> Begin(uint64_t number, uint64_t bytes);
  // Makes a spare if there is none. Slow. ResourceExhausted, and nothing was tried: the disk would
  // not have a spare's room left behind it.
  absl::Status PrepareSpare();
  // The segment is needed no more: it becomes a spare, or goes. Durable after OK.
  absl::Status Retire(uint64_t number);
  bool has_spare() const;

 private:
  absl::Status OpenSpare(size_t spare);
  absl::Status MakeFile(absl::string_view name, uint64_t size, uint64_t to_leave);
  absl::Status SyncNames();

  base::Dir& dir_;
  const uint64_t segment_bytes_;
  mutable base::Mutex mutex_;
  std::array<bool, kSpareNames.size()> spares_ ABSL_GUARDED_BY(mutex_) = {};
};

// `status`, of a sync that failed, as an error that nobody takes for a lack of room.
absl::Status SyncFailed(const absl::Status& status);

}  // namespace slipway::eraft::wal
