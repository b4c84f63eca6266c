// What is looked at once a second: room on the disk, memory, sizes, round trips (E31, E167, E171).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "eraft/node/reserve.h"
#include "eraft/service/metrics.h"
#include "eraft/service/replica.h"
#include "eraft/transport/transport.h"

namespace slipway::eraft {

// Whether there is too little room, given whether there was: below half of what is enough it is
// too little, until there is enough: the less of 256 MiB and 5 % (E167).
bool IsShortOfSpace(const base::Space& space, bool was_short);

// Bytes of the files beneath `dir`, which may come and go meanwhile. Blocks.
absl::StatusOr<uint64_t> BytesBeneath(base::Dir& dir);

// Resident bytes of this process; 0 where the system does not tell. Blocks.
uint64_t ResidentBytes(base::Files& files);

class Housekeeping {
 public:
  struct Options {
    uint64_t quota_bytes = 0;        // 0: none
    uint64_t memory_soft_limit = 0;  // 0: none
  };
  Housekeeping(Replica& replica, base::Dir& dir, base::Files& files, Options options)
      : replica_(replica), dir_(dir), files_(files), options_(options), reserve_(dir) {}

  // Before the node opens: on a full disk the reserve is given up. Blocks.
  void MakeRoom();

  // Blocks; one call at a time, on a pool.
  void Run(const std::vector<PeerStatus>& peers, absl::Duration heartbeat);
  uint64_t storage_bytes() const { return storage_bytes_.load(std::memory_order_relaxed); }
  uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }

 private:
  void LookAtDisk();
  void LookAtReserve(const base::Space& space, bool log_waits);
  void LookAtMemory();
  void LookAtPeers(const std::vector<PeerStatus>& peers, absl::Duration heartbeat);
  void TellMetrics();

  Replica& replica_;
  base::Dir& dir_;
  base::Files& files_;
  const Options options_;
  Reserve reserve_;
  std::string reserve_error_;  // told once
  std::atomic<uint64_t> storage_bytes_{0}, free_bytes_{0};
  uint64_t evicted_ = 0, repeated_ = 0;  // as they were told
  absl::Duration measured_at_ = -absl::InfiniteDuration();
  std::map<raft::NodeId, absl::Duration> warned_at_;
  std::set<raft::NodeId> lag_told_;  // whose match_lag is shown
};

}  // namespace slipway::eraft
