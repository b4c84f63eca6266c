// A loop in virtual time, turned by the test. What may run at the same moment (the next posted
// task, every timer that is due) runs in an order that the seed chooses; posted tasks keep their
// order. Post: from any thread. The rest: one thread, the "loop".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/loop.h"
#include "base/sim/clock.h"
#include "base/sim/random.h"
#include "base/sync/mutex.h"

namespace slipway::base::sim {

class Loop : public base::Loop {
 public:
  Loop(uint64_t seed, Clock& clock) : clock_(clock), choices_(seed) {}
  void Post(Task task) override;
  uint64_t After(absl::Duration delay, Task task) override;
  void Cancel(uint64_t timer) override;

  // Runs one task that may run now; false when there is none. Time stands still.
  bool RunOne();
  // As RunOne, but lets time pass to the next timer where nothing may run now.
  bool Step();
  // Runs what may run within `duration`, which passes.
  void RunFor(absl::Duration duration);

 private:
  using Due = std::pair<absl::Duration, uint64_t>;  // monotonic; id
  Task TakeRunnable(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AdvanceToNext(absl::Duration limit);

  Clock& clock_;
  Mutex mutex_;
  Stream choices_ ABSL_GUARDED_BY(mutex_);
  std::deque<Task> posted_ ABSL_GUARDED_BY(mutex_);
  std::map<Due, Task> timers_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, absl::Duration> due_of_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_timer_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace slipway::base::sim
