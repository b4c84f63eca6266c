// A pool without threads: jobs wait until somebody runs them, in an order the seed chooses.
// Thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/pool.h"
#include "base/sim/random.h"
#include "base/sync/mutex.h"

namespace slipway::base::sim {

class Pool : public base::Pool {
 public:
  // `queue_max` jobs may wait; `threads` is what threads() claims.
  explicit Pool(uint64_t seed, size_t queue_max = 1024, int threads = 4)
      : queue_max_(queue_max), threads_(threads), choices_(seed) {}
  absl::Status Submit(Task job) override;
  bool RunOne() override;
  int threads() const override { return threads_; }

  // Until none waits, also of those that the jobs submit.
  void RunAll();
  size_t waiting();

 private:
  const size_t queue_max_;
  const int threads_;
  Mutex mutex_;
  Stream choices_ ABSL_GUARDED_BY(mutex_);
  std::vector<Task> jobs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::base::sim
