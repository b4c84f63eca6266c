// The gRPC services of kvserver over what does the work. gRPC stays in the .cc files.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/audit/audit.h"
#include "base/limiter.h"
#include "base/net/grpc/server.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/sync/mutex.h"
#include "eraft/backup/backup_source.h"
#include "eraft/node/handover.h"
#include "eraft/node/node.h"
#include "eraft/service/access.h"
#include "eraft/service/limits.h"
#include "eraft/service/replica.h"
#include "eraft/service/result_budget.h"
#include "eraft/transport/transport.h"

namespace slipway::eraft {

// Requests that took long (E196). Thread-safe.
class SlowLog {
 public:
  // `threshold` zero: none is logged.
  SlowLog(absl::Duration threshold, base::Clock& clock, base::Counter& slow)
      : threshold_(threshold), clock_(clock), slow_(slow) {}
  struct Request {
    absl::string_view method, peer, request_id, trace_id;
    absl::Duration begun;     // monotonic
    absl::Duration proposed;  // left the queue of the loop; zero: it never did
    absl::Duration answered;  // the outcome was there
    absl::string_view result;
  };
  void Note(const Request& request);

 private:
  const absl::Duration threshold_;
  base::Clock& clock_;
  base::Counter& slow_;
  base::Mutex mutex_;
  base::Limiter limiter_ ABSL_GUARDED_BY(mutex_){5, 20};  // lines in a second
};

// What the administration asks of the whole server. Thread-safe.
class ServerControl {
 public:
  struct Info {
    std::string version, commit, address, engine, directory;
    wal::ClusterId cluster{};
    raft::NodeId node = raft::kNoNode;
    uint64_t incarnation = 0;
    uint32_t feature_level = 0;
    absl::Duration uptime, sync;  // of one small file, synced for this answer
    absl::Time wall, cert_not_after = absl::InfiniteFuture();
    uint64_t disk_free_bytes = 0, storage_bytes = 0;
    std::vector<PeerStatus> peers;
    std::vector<std::string> options;    // "name=value" of what SetOption may change
    std::string phase;                   // starting, serving or draining
    std::vector<std::string> not_ready;  // "part: why", of the parts that keep it from being ready
  };
  virtual ~ServerControl() = default;
  virtual absl::StatusOr<Info> GetInfo() = 0;  // blocks on the disk
  virtual uint64_t storage_bytes() = 0;        // engine files and log, as of a moment ago
  // What the option was before. InvalidArgument: no such option, or no value of it;
  // FailedPrecondition: not while the server is as it is.
  virtual absl::StatusOr<std::string> SetOption(absl::string_view name,
                                                absl::string_view value) = 0;
  // What the transport knows of the other members.
  virtual std::vector<PeerSight> Sights() = 0;
  virtual std::vector<PeerStatus> Peers() = 0;
  // A backup of the newest snapshot, which is of entry `at_least` or a later one, without the files
  // that are `known`. `header` tells what it is of. Blocks; errors of BackupSource::Open.
  virtual base::Owned<BackupSource> OpenBackup(raft::Index at_least,
                                               std::set<base::Sha256Digest> known,
                                               BackupHeader& header) = 0;
  // Hands leadership over and takes nothing new; `done` on the loop when nothing is under way any
  // more, or the time for it is over.
  virtual void BeginDrain(std::function<void(absl::Status)> done) = 0;
};

// What the handlers use. Borrowed; outlives the server.
struct ServiceParts {
  Replica& replica;
  ServerControl& control;
  Access& access;
  SlowLog& slow;
  base::AuditLog* audit;  // null: none is kept
  base::Pool& pool;       // for what blocks: administration, the audit log
  ReadMode read_mode = ReadMode::kLinearizable;
  std::atomic<int64_t> tick_us;  // of the node: its deadlines are kept so exactly
  uint64_t stream_commands_max;  // of one pipeline, under way
  uint64_t range_bytes_max;
  absl::Duration session_ttl;
  std::atomic<int> backups{0};  // that are being taken
  // Outlives this where a stream does.
  std::shared_ptr<ResultBudget> results = std::make_shared<ResultBudget>(kPipelinesBufferedMax);
};

// Each serves one listener. Thread-safe; gRPC threads only hand over.
std::unique_ptr<base::net::Service> MakeLegacyService(ServiceParts& parts);
std::unique_ptr<base::net::Service> MakePipelineService(ServiceParts& parts, base::Random& random);
std::unique_ptr<base::net::Service> MakeAdminService(ServiceParts& parts);

}  // namespace slipway::eraft
