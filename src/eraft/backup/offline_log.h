// The log of a data directory that no process runs on, for a tool that adds a little to it.
// Thread-compatible; calls block.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/status.h"
#include "eraft/wal/wal.h"

namespace slipway::eraft {

class OfflineLog {
 public:
  // Opens or makes it. Errors of wal::Wal::Open: DataLoss where it is damaged. Borrowed: `dir`,
  // `clock`.
  static base::Owned<OfflineLog> Open(base::Dir& dir, const wal::ClusterId& cluster,
                                      uint64_t segment_bytes, base::Clock& clock);
  std::optional<wal::GroupView> Find(raft::GroupId group) const { return wal_->Find(group); }
  absl::StatusOr<raft::Restored> Restore(raft::GroupId group) const { return wal_->Restore(group); }
  // Durable after OK.
  absl::Status Append(raft::GroupId group, wal::Batch batch);
  absl::Status Close();

 private:
  // The jobs of the log, run by who waits for them.
  class Jobs : public base::Pool {
   public:
    absl::Status Submit(base::Task job) override;
    bool RunOne() override;
    int threads() const override { return 1; }

   private:
    std::deque<base::Task> jobs_;
  };
  OfflineLog() = default;

  Jobs jobs_;
  base::Metrics metrics_;
  std::unique_ptr<wal::Wal> wal_;
};

}  // namespace slipway::eraft
