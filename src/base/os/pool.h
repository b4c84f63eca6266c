// base::Pool over threads named pool-<name>.
#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/pool.h"
#include "base/sync/mutex.h"

namespace slipway::base::os {

// Thread-safe.
class ThreadPool : public Pool {
 public:
  // `threads` >= 1; at most `queue_max` jobs wait. Threads start with the first job, so that a
  // program that never uses its pool has none.
  ThreadPool(absl::string_view name, int threads, size_t queue_max);
  // Waits for the running jobs; drops those that have not started. Not from a job.
  ~ThreadPool() override;

  absl::Status Submit(Task job) override;
  bool RunOne() override;
  int threads() const override { return threads_max_; }

 private:
  void Work();
  // The next job, or null when there is none (`wait` false) or the pool ends.
  Task Take(bool wait);

  const std::string name_;
  const int threads_max_;
  const size_t queue_max_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> jobs_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::base::os
