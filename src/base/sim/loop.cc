#include "base/sim/loop.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace slipway::base::sim {

void Loop::Post(Task task) {
  const MutexLock lock(mutex_);
  posted_.push_back(std::move(task));
}

uint64_t Loop::After(absl::Duration delay, Task task) {
  const absl::Duration due = clock_.Monotonic() + std::max(delay, absl::ZeroDuration());
  const MutexLock lock(mutex_);
  const uint64_t id = next_timer_++;
  timers_.emplace(Due(due, id), std::move(task));
  due_of_.emplace(id, due);
  return id;
}

void Loop::Cancel(uint64_t timer) {
  Task task;  // destroyed after the lock is released: what it holds may call back
  const MutexLock lock(mutex_);
  const auto due = due_of_.find(timer);
  if (due == due_of_.end()) return;
  const auto found = timers_.find(Due(due->second, timer));
  task = std::move(found->second);
  timers_.erase(found);
  due_of_.erase(due);
}

// An empty task when nothing may run.
Task Loop::TakeRunnable(absl::Duration now) {
  uint64_t choices = posted_.empty() ? 0 : 1;
  for (auto it = timers_.begin(); it != timers_.end() && it->first.first <= now; ++it) ++choices;
  if (choices == 0) return nullptr;
  uint64_t choice = choices == 1 ? 0 : choices_.Below(choices);
  Task task;
  if (!posted_.empty() && choice-- == 0) {
    task = std::move(posted_.front());
    posted_.pop_front();
    return task;
  }
  const auto timer = std::next(timers_.begin(), static_cast<std::ptrdiff_t>(choice));
  task = std::move(timer->second);
  due_of_.erase(timer->first.second);
  timers_.erase(timer);
  return task;
}

bool Loop::RunOne() {
  Task task;
  const absl::Duration now = clock_.Monotonic();
  {
    const MutexLock lock(mutex_);
    task = TakeRunnable(now);
  }
  if (!task) return false;
  task();
  return true;
}

// Lets time pass to the next timer; false when it is due after `limit`, or there is none.
bool Loop::AdvanceToNext(absl::Duration limit) {
  absl::Duration due;
  {
    const MutexLock lock(mutex_);
    if (timers_.empty()) return false;
    due = timers_.begin()->first.first;
  }
  if (due == absl::InfiniteDuration() || due > limit) return false;
  const absl::Duration now = clock_.Monotonic();
  if (due > now) clock_.Advance(due - now);
  return true;
}

bool Loop::Step() { return RunOne() || (AdvanceToNext(absl::InfiniteDuration()) && RunOne()); }

void Loop::RunFor(absl::Duration duration) {
  const absl::Duration end = clock_.Monotonic() + duration;
  while (RunOne() || AdvanceToNext(end)) {
  }
  const absl::Duration now = clock_.Monotonic();
  if (now < end) clock_.Advance(end - now);
}

}  // namespace slipway::base::sim
