// The data directory before a node opens it: whose it is, and the members it was told (E11, E170).
// Thread-safe: free functions; they block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/world.h"
#include "eraft/node/cluster.h"
#include "eraft/service/config.h"

namespace slipway::eraft {

struct DataDirectory {
  std::unique_ptr<base::Dir> dir;
  std::string path;  // absolute
  wal::ClusterId cluster{};
  uint64_t incarnation = 0;
  Addresses members;  // stored, else of the configuration
  bool fresh = false;
};

// `status`, with the way out where it is about data at `path` that cannot be read (DataLoss).
absl::Status WithWayOut(absl::Status status, absl::string_view path);

// Whether OpenDataDirectory would make an IDENTITY, as far as one can see.
bool IsFirstStart(base::World& world, const KvServerPlan& plan);

// Makes the directory and its IDENTITY where there is none; another's is only looked at.
// FailedPrecondition: of another node, cluster, engine or user, or full of other things;
// DataLoss: IDENTITY cannot be read; Aborted: a process has it; PermissionDenied.
absl::StatusOr<DataDirectory> OpenDataDirectory(base::World& world, const KvServerConfig& config,
                                                const KvServerPlan& plan);

}  // namespace slipway::eraft
