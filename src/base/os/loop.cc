#include "base/os/loop.h"

#include <pthread.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/os/thread.h"

namespace slipway::base::os {
ThreadLoop::ThreadLoop(absl::string_view name)
    : thread_(StartThread(absl::StrCat("loop-", name), [this] { Run(); })) {}

ThreadLoop::~ThreadLoop() {
  SLIPWAY_CHECK(!OnLoop());
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

bool ThreadLoop::OnLoop() const { return runner_.load() == pthread_self(); }

void ThreadLoop::Post(Task task) {
  MutexLock lock(mutex_);
  if (stopping_) return;
  posted_.push_back(std::move(task));
  changed_.NotifyOne();
}

uint64_t ThreadLoop::After(absl::Duration delay, Task task) {
  SLIPWAY_CHECK(OnLoop());
  const absl::Duration due = clock_.Monotonic() + std::max(delay, absl::ZeroDuration());
  const uint64_t id = ++last_timer_;
  timers_.emplace(Due(due, id), std::move(task));
  due_of_.emplace(id, due);
  return id;
}

void ThreadLoop::Cancel(uint64_t timer) {
  SLIPWAY_CHECK(OnLoop());
  const auto found = due_of_.find(timer);
  if (found == due_of_.end()) return;
  timers_.erase(Due(found->second, timer));
  due_of_.erase(found);
}

void ThreadLoop::RunDueTimers() {
  const absl::Duration now = clock_.Monotonic();
  // A timer set meanwhile is later than `now` or waits for the next turn, so posts are not starved.
  const uint64_t last_before = last_timer_;
  while (!timers_.empty()) {
    const auto first = timers_.begin();
    if (first->first.first > now || first->first.second > last_before) return;
    Task task = std::move(first->second);
    due_of_.erase(first->first.second);
    timers_.erase(first);
    task();
  }
}

Task ThreadLoop::NextPosted(bool& stopping) {
  MutexLock lock(mutex_);
  while (true) {
    stopping = stopping_;
    if (stopping) return nullptr;
    if (!posted_.empty()) {
      Task task = std::move(posted_.front());
      posted_.pop_front();
      return task;
    }
    if (timers_.empty()) {
      changed_.Wait(mutex_);
      continue;
    }
    const absl::Duration wait = timers_.begin()->first.first - clock_.Monotonic();
    if (wait <= absl::ZeroDuration()) return nullptr;
    changed_.WaitFor(mutex_, std::min(wait, absl::Hours(1)));
  }
}

void ThreadLoop::Run() {
  runner_.store(pthread_self());
  while (true) {
    RunDueTimers();
    bool stopping = false;
    Task task = NextPosted(stopping);
    if (stopping) break;
    if (task != nullptr) task();
  }
}

}  // namespace slipway::base::os
