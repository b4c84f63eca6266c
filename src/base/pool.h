// A bounded pool of worker threads for work that blocks or computes.
#pragma once

#include "absl/status/status.h"
#include "base/loop.h"

namespace slipway::base {

// Thread-safe. A job never waits for another job or for a loop. A thread that is not a job may wait
// for jobs, and then helps by RunOne: so the same code runs with one thread in simulation, where
// the jobs wait in a queue until somebody runs them.
class Pool {
 public:
  virtual ~Pool() = default;
  // Queues `job`. ResourceExhausted when the queue is full or the system has no thread for it; the
  // job is then destroyed unrun.
  virtual absl::Status Submit(Task job) = 0;
  // Runs one queued job in the calling thread; false when none is waiting. In simulation the job is
  // chosen by the seed.
  virtual bool RunOne() = 0;
  // Worker threads, at least 1: how much parallelism is worth asking for.
  virtual int threads() const = 0;
};

}  // namespace slipway::base
