// Two pools for the tests of this folder, which comes before base/os and base/sim.
#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/pool.h"
#include "base/sync/mutex.h"

namespace slipway::base {

// Jobs wait until RunOne: one thread, as in simulation.
class ManualPool : public Pool {
 public:
  explicit ManualPool(size_t queue_max = 1000, int threads = 3)
      : queue_max_(queue_max), threads_(threads) {}
  absl::Status Submit(Task job) override {
    if (jobs_.size() >= queue_max_) return absl::ResourceExhaustedError("pool is full");
    jobs_.push_back(std::move(job));
    return absl::OkStatus();
  }
  bool RunOne() override {
    if (jobs_.empty()) return false;
    Task job = std::move(jobs_.front());
    jobs_.pop_front();
    job();
    return true;
  }
  int threads() const override { return threads_; }
  size_t queued() const { return jobs_.size(); }
  void DropAll() { jobs_.clear(); }
  void set_queue_max(size_t queue_max) { queue_max_ = queue_max; }

 private:
  size_t queue_max_;
  int threads_;
  std::deque<Task> jobs_;
};

// Real threads, for the thread sanitizer.
class ThreadedPool : public Pool {
 public:
  ThreadedPool(int threads, size_t queue_max) : queue_max_(queue_max) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~ThreadedPool() override {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }
  absl::Status Submit(Task job) override {
    MutexLock lock(mutex_);
    if (jobs_.size() >= queue_max_) return absl::ResourceExhaustedError("pool is full");
    jobs_.push_back(std::move(job));
    changed_.NotifyOne();
    return absl::OkStatus();
  }
  bool RunOne() override {
    Task job;
    {
      MutexLock lock(mutex_);
      if (jobs_.empty()) return false;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
    return true;
  }
  int threads() const override { return static_cast<int>(threads_.size()); }

 private:
  void Work() {
    while (true) {
      {
        MutexLock lock(mutex_);
        while (jobs_.empty()) {
          if (stopping_) return;
          changed_.Wait(mutex_);
        }
      }
      RunOne();
    }
  }
  const size_t queue_max_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace slipway::base
