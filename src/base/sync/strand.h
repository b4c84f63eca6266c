// A FIFO of jobs over a Pool: one runs at a time, in order; one Strand for each stream or file.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "base/pool.h"

namespace slipway::base {

// Thread-safe. Destruction drops jobs that have not started and does not wait for the running one,
// which keeps the state alive.
class Strand {
 public:
  Strand(Pool& pool, size_t queue_max);
  ~Strand();
  // ResourceExhausted when `queue_max` jobs wait, or the pool is full; the job is destroyed unrun.
  absl::Status Submit(Task job);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::base
