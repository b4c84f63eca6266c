// Waiting for jobs of a Pool from a thread that is none of its jobs. The waiter helps, so the same
// code runs single-threaded in simulation.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/pool.h"

namespace slipway::base {

// Counts jobs in flight. Submit and Wait: one thread; the jobs run anywhere.
class JobGroup {
 public:
  explicit JobGroup(Pool& pool);
  ~JobGroup();  // waits
  // Runs `job` on the pool, or here at once when the pool's queue is full: so it never fails.
  void Run(Task job);
  // Until at most `in_flight` jobs are unfinished, running queued ones here meanwhile.
  void WaitUntil(size_t in_flight);
  void Wait() { WaitUntil(0); }

 private:
  struct State;
  Pool& pool_;
  std::shared_ptr<State> state_;
};

// Calls `body(i)` for i in [0, count) on `pool` and here; the error of the lowest failing index.
absl::Status ParallelFor(Pool& pool, size_t count, absl::FunctionRef<absl::Status(size_t)> body);

}  // namespace slipway::base
