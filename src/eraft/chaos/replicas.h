// Whether all replicas hold the same state. Thread-compatible; calls block.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "eraft/chaos/cluster.h"

namespace slipway::eraft::chaos {

struct Agreement {
  uint64_t index = 0;  // that all had applied
  int replicas = 0;
  std::string digest;  // hex
};

// Waits until all members have applied the same index, has each take a snapshot there, and compares
// the digests of their states. Internal: they differ; the text says how. DeadlineExceeded: they do
// not come to the same index. Nobody writes meanwhile.
absl::StatusOr<Agreement> CompareReplicas(Cluster& cluster, base::World& world,
                                          const base::CancelToken& cancel, absl::Duration timeout);

}  // namespace slipway::eraft::chaos
