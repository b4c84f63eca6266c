// Clients that read and write a cluster for as long as a scenario takes, and record what they see.
// Thread-compatible but for what is said; the clients run on a loop of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/world.h"
#include "eraft/chaos/history.h"

namespace slipway::eraft::chaos {

struct LoadOptions {
  int clients = 32;                           // each with a session and a stream of its own
  double operations_per_second = 400;         // of all together, while the cluster answers
  int keys = 24;                              // in use at a time
  int operations_per_key = 60;                // then another key takes its place
  absl::Duration timeout = absl::Seconds(5);  // of an operation
  uint64_t seed = 1;
};

// Reads, puts, appends and deletes; on every eighth key compare-and-set in place of the latter two.
class Load {
 public:
  // `addresses`: of the servers. Everything outlives the load.
  Load(LoadOptions options, std::vector<std::string> addresses, base::World& world);
  ~Load();  // as Stop

  absl::Status Start();
  // Begins nothing more and waits for what is under way, at most the timeout of an operation.
  void Stop();
  // After Stop: reads all keys that were ever used, by scans that are part of the history, until
  // that worked. DeadlineExceeded: the cluster did not answer in time.
  absl::Status ReadAll(absl::Duration timeout);

  // Operations answered so far. Thread-safe.
  uint64_t answered() const;
  // Of what was recorded so far (see History), up to now. Blocks for the loop.
  absl::Duration LatencySince(absl::Duration begin, double share) const;
  absl::Duration LongestOutageSoFar() const;
  // After Stop.
  const History& history() const;
  absl::Duration began() const;  // of the clock's monotonic time

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::eraft::chaos
