#include "base/sim/loop.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace slipway::base::sim {

void Loop::Post(Task task) {
  const MutexLock lock(mutex_);
  posted_.push_back(std::move(task));
}

uint64_t Loop::After(absl::Duration delay, Task task) {
  const absl::Duration due = clock_.Monotonic() + std::max(delay, absl::ZeroDuration());
  const MutexLock lock(mutex_);
  const uint64_t id = next_timer_++;
  timers_.emplace(id, Timer{due, std::move(task)});
  return id;
}

void Loop::Cancel(uint64_t timer) {
  Task task;  // destroyed after the lock is released: what it holds may call back
  const MutexLock lock(mutex_);
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  task = std::move(found->second.task);
  timers_.erase(found);
}

absl::Duration Loop::NextDue() {
  absl::Duration due = absl::InfiniteDuration();
  for (const auto& [id, timer] : timers_) due = std::min(due, timer.due);
  return due;
}

// An empty task when nothing may run.
Task Loop::TakeRunnable(absl::Duration now) {
  std::vector<uint64_t> ids;  // 0: the first posted task
  if (!posted_.empty()) ids.push_back(0);
  for (const auto& [id, timer] : timers_) {
    if (timer.due <= now) ids.push_back(id);
  }
  if (ids.empty()) return nullptr;
  const uint64_t id = ids[static_cast<size_t>(choices_.Below(ids.size()))];
  Task task;
  if (id == 0) {
    task = std::move(posted_.front());
    posted_.pop_front();
  } else {
    task = std::move(timers_.at(id).task);
    timers_.erase(id);
  }
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
    due = NextDue();
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
