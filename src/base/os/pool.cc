#include "base/os/pool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/os/thread.h"

namespace slipway::base::os {

ThreadPool::ThreadPool(absl::string_view name, int threads, size_t queue_max)
    : name_(absl::StrCat("pool-", name)), threads_max_(threads), queue_max_(queue_max) {
  SLIPWAY_CHECK(threads >= 1);
}

ThreadPool::~ThreadPool() {
  std::deque<Task> dropped;
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
    threads.swap(threads_);
  }
  changed_.NotifyAll();
  for (std::thread& thread : threads) thread.join();
}

absl::Status ThreadPool::Submit(Task job) {
  MutexLock lock(mutex_);
  if (stopping_) return absl::ResourceExhaustedError(absl::StrCat(name_, ": is ending"));
  if (jobs_.size() >= queue_max_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name_, ": ", queue_max_, " jobs wait already"));
  }
  jobs_.push_back(std::move(job));
  // A thread counted idle may be on its way to an earlier job: so one more for each waiting job.
  if (idle_ < static_cast<int>(jobs_.size()) && static_cast<int>(threads_.size()) < threads_max_) {
    absl::StatusOr<std::thread> thread = TryStartThread(name_, [this] { Work(); });
    if (thread.ok()) {
      threads_.push_back(*std::move(thread));
    } else if (threads_.empty()) {
      job = std::move(jobs_.back());  // destroyed by the caller, outside the lock
      jobs_.pop_back();
      return std::move(thread).status();
    }
    // With fewer threads than wanted the job only waits longer.
  }
  changed_.NotifyOne();
  return absl::OkStatus();
}

bool ThreadPool::RunOne() {
  Task job = Take(/*wait=*/false);
  if (job == nullptr) return false;
  job();
  return true;
}

Task ThreadPool::Take(bool wait) {
  MutexLock lock(mutex_);
  if (wait) {
    ++idle_;
    while (jobs_.empty() && !stopping_) changed_.Wait(mutex_);
    --idle_;
  }
  if (jobs_.empty()) return nullptr;
  Task job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

void ThreadPool::Work() {
  while (true) {
    Task job = Take(/*wait=*/true);
    if (job == nullptr) return;
    job();
  }
}

}  // namespace slipway::base::os
