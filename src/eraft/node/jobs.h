// What a node has running on pools and queued on its loop, so that nothing of it runs once the node
// is gone.
#pragma once

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/sync/mutex.h"

namespace slipway::eraft {

// Post: from any thread. The rest: on the loop.
class Jobs : public std::enable_shared_from_this<Jobs> {
 public:
  // Both outlive every job.
  Jobs(base::Loop& loop, base::Pool& pool) : loop_(loop), pool_(pool) {}

  // Runs `work` on the pool and then `done` on the loop; after Stop neither. Jobs that the pool has
  // no room for wait here; what bounds them is that each caller has few under way.
  void Run(base::Task work, base::Task done);
  // Tries again what found no room.
  void Retry();
  // Runs `task` on the loop, unless Stop comes first.
  void Post(base::Task task);
  bool stopped();
  // No job begins any more. Waits for those that run.
  void Stop();

 private:
  struct Job {
    base::Task work;
    base::Task done;
  };
  bool Submit(const std::shared_ptr<Job>& job);
  void RunHere(Job& job);

  base::Loop& loop_;
  base::Pool& pool_;
  std::deque<std::shared_ptr<Job>> waiting_;  // of the loop
  base::Mutex mutex_;
  base::CondVar idle_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::eraft
