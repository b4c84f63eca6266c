// kvserver as an object: data directory, node, transport, listeners, in this order; and back
// (E3, E195). Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/config/reader.h"
#include "base/loop.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/status.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "eraft/service/config.h"

namespace slipway::eraft {

// Borrowed; outlives the server.
struct KvServerWorld {
  base::World& world;
  base::Loop& loop;
  base::Pool& pool;      // of the node: state machine, snapshots, reads
  base::Pool& wal_pool;  // one thread: the log's writer
  base::Pool& aux_pool;  // administration, HTTP, files that change
  base::Metrics& metrics;
  std::string version, commit;
  std::vector<base::ConfigField> values;  // of the configuration in force, for statusz
  // Called once, on the loop, when the node can go on no more (E114): the process is to end.
  std::function<void(absl::Status)> on_fatal;
  // Ends a start that waits for room on the disk, with its status.
  base::CancelToken cancel;
};

class KvServer {
 public:
  // Serves when it returns. Unavailable: an address is taken; InvalidArgument: the configuration,
  // or a file that it names; PermissionDenied, FailedPrecondition, Aborted, DataLoss: the data
  // directory, as OpenDataDirectory and Node::Open say. Not on the loop.
  static base::Owned<KvServer> Start(const KvServerConfig& config, const KvServerPlan& plan,
                                     KvServerWorld world);
  // As Drain, without waiting for anybody.
  virtual ~KvServer() = default;
  virtual int port(absl::string_view role) const = 0;  // grpc, peer, http; 0: off
  virtual absl::Status Reload() = 0;                   // SIGHUP: certificates, tokens
  // Not ready any more; hands leadership over, ends what is under way, flushes (E195).
  virtual void Drain() = 0;
};

}  // namespace slipway::eraft
