#include "eraft/backup/offline_log.h"

#include <utility>

namespace slipway::eraft {

absl::Status OfflineLog::Jobs::Submit(base::Task job) {
  jobs_.push_back(std::move(job));
  return absl::OkStatus();
}

bool OfflineLog::Jobs::RunOne() {
  if (jobs_.empty()) return false;
  base::Task job = std::move(jobs_.front());
  jobs_.pop_front();
  std::move(job)();
  return true;
}

base::Owned<OfflineLog> OfflineLog::Open(base::Dir& dir, const wal::ClusterId& cluster,
                                         uint64_t segment_bytes, base::Clock& clock) {
  std::unique_ptr<OfflineLog> log(new OfflineLog);
  wal::WalOptions options;
  options.cluster = cluster;
  options.segment_bytes = segment_bytes;
  SLIPWAY_ASSIGN_OR_RETURN(
      log->wal_,
      wal::Wal::Open(options, {dir, log->jobs_, log->jobs_, clock, log->metrics_}, nullptr));
  return log;
}

absl::Status OfflineLog::Append(raft::GroupId group, wal::Batch batch) {
  std::optional<absl::Status> done;
  SLIPWAY_RETURN_IF_ERROR(wal_->Append(group, std::move(batch),
                                       [&done](absl::Status status) { done = std::move(status); }));
  while (!done.has_value() && jobs_.RunOne()) {
  }
  // Without room the log would wait for some.
  return done.has_value() ? *done : wal_->status();
}

absl::Status OfflineLog::Close() {
  SLIPWAY_RETURN_IF_ERROR(wal_->Close());
  while (jobs_.RunOne()) {
  }
  return absl::OkStatus();
}

}  // namespace slipway::eraft
