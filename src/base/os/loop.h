// base::Loop over one thread named loop-<name>.
#pragma once

#include <pthread.h>

#include <atomic>
#include <deque>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/loop.h"
#include "base/os/clock.h"
#include "base/sync/mutex.h"

namespace slipway::base::os {

// Thread-safe as base::Loop says. Timers run in the order of their times, before tasks posted
// later.
class ThreadLoop : public Loop {
 public:
  explicit ThreadLoop(absl::string_view name);
  // Waits for the running task; drops posted tasks and timers that have not run. Not on the loop.
  ~ThreadLoop() override;

  void Post(Task task) override;  // dropped when the destructor has begun
  uint64_t After(absl::Duration delay, Task task) override;  // CHECK: on the loop
  void Cancel(uint64_t timer) override;                      // CHECK: on the loop

  bool OnLoop() const;

 private:
  using Due = std::pair<absl::Duration, uint64_t>;  // monotonic time and id: equal times in order

  void Run();
  void RunDueTimers();
  // The next posted task, waiting for it until a timer is due; null when one is, or at the end.
  Task NextPosted(bool& stopping);

  SystemClock clock_;
  // Written by the thread itself: its first task may ask before the constructor has its id.
  std::atomic<pthread_t> runner_{};
  // Loop-only.
  std::map<Due, Task> timers_;
  std::unordered_map<uint64_t, absl::Duration> due_of_;
  uint64_t last_timer_ = 0;

  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace slipway::base::os
