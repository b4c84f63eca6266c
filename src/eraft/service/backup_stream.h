// One Admin.Backup call: a snapshot of all that was acknowledged before it, file by file (E193).
// Private to eraft/service.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/limiter.h"
#include "base/net/grpc/grpc_service.h"
#include "base/sync/mutex.h"
#include "eraft/backup/backup_source.h"
#include "eraft/service/access.h"
#include "eraft/service/services.h"
#include "slipway/eraft/admin/v1/admin.pb.h"

namespace slipway::eraft {

// Owns itself from Start to OnDone. One part of 1 MiB is in memory at a time: the next one is read
// when it is on its way and the rate allows it. Ends only when no job of it uses the disk.
class BackupStream final : public grpc::ServerWriteReactor<admin::v1::BackupChunk>,
                           public std::enable_shared_from_this<BackupStream> {
 public:
  static grpc::ServerWriteReactor<admin::v1::BackupChunk>* Start(
      ServiceParts& parts, base::net::Service::Raw& raw, grpc::CallbackServerContext& context,
      const admin::v1::BackupRequest& request);
  BackupStream(ServiceParts& parts, grpc::CallbackServerContext& context, double rate)
      : parts_(parts), context_(context), limiter_(rate, kBurstBytes) {}

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  using Ptr = std::shared_ptr<BackupStream>;
  static constexpr double kBurstBytes = 1 << 20;

  absl::Status Admit(base::net::Service::Raw& raw, const admin::v1::BackupRequest& request);
  void Begin();
  // On the loop, again and again: until there is a snapshot of entry `index_` or a later one.
  void AwaitSnapshot();
  // Both as the one job of the pool.
  void Open();
  void ReadNext();
  void RunJob(void (BackupStream::*work)());
  void OnJobDone(const std::optional<absl::Status>& done, absl::Duration wait);
  void End(const absl::Status& status);
  void Close();
  bool ended() {
    const base::MutexLock lock(mutex_);
    return end_.has_value();
  }

  ServiceParts& parts_;
  grpc::CallbackServerContext& context_;
  Ptr self_;
  std::unique_ptr<base::net::ServerCall> call_;
  Caller caller_;
  std::string peer_;
  bool counted_ = false;  // among those that run
  std::set<base::Sha256Digest> known_;
  // Of the loop.
  raft::Index index_ = 0;
  absl::Duration until_, try_at_;
  // Of the job that runs.
  std::unique_ptr<BackupSource> source_;
  base::Limiter limiter_;
  admin::v1::BackupChunk out_;
  uint64_t bytes_ = 0;

  base::Mutex mutex_;
  bool job_ ABSL_GUARDED_BY(mutex_) = false;  // queued or running
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft
