// Work of several threads done in groups by one of them (leader and followers): what comes while a
// group is being worked on forms the next one. No thread of its own. Thread-safe.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/sync/mutex.h"

namespace slipway::cas {

template <class Job>
class GroupQueue {
 public:
  // Called by one thread at a time; fills the results into the jobs.
  using Work = std::function<void(absl::Span<Job* const> group)>;

  struct Options {
    size_t group_max = 256;
    // The longest time a leader waits for as many jobs as the group before had, where that one was
    // shared: who was answered together comes back together, and one that is first by a hair must
    // not cost the others a group of their own. Lone callers never wait.
    absl::Duration delay_max = absl::ZeroDuration();
  };

  GroupQueue(const Options& options, base::Clock& clock, Work work)
      : options_(options), clock_(clock), work_(std::move(work)) {
    SLIPWAY_CHECK(options.group_max > 0);
  }
  GroupQueue(const GroupQueue&) = delete;
  GroupQueue& operator=(const GroupQueue&) = delete;

  // Returns when `work` has had all of `jobs`, in their order.
  void Run(absl::Span<Job* const> jobs) {
    mutex_.Lock();
    queue_.insert(queue_.end(), jobs.begin(), jobs.end());
    const uint64_t last = (queued_ += jobs.size());
    if (leading_) changed_.NotifyAll();  // the leader may wait for company
    while (done_ < last) {
      if (leading_) {
        changed_.Wait(mutex_);
      } else {
        Lead();
      }
    }
    mutex_.Unlock();
  }

  // Jobs that no leader has taken yet.
  size_t waiting() {
    const base::MutexLock lock(mutex_);
    return queue_.size();
  }

 private:
  void Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    leading_ = true;
    WaitForCompany();
    const size_t count = std::min(queue_.size(), options_.group_max);
    const std::vector<Job*> group(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
    former_count_ = count;
    mutex_.Unlock();
    work_(group);
    mutex_.Lock();
    leading_ = false;
    done_ += count;
    changed_.NotifyAll();
  }

  void WaitForCompany() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (former_count_ < 2) return;
    const size_t wanted = std::min(former_count_, options_.group_max);
    const absl::Duration end = clock_.Monotonic() + options_.delay_max;
    while (queue_.size() < wanted) {
      const absl::Duration left = end - clock_.Monotonic();
      if (left <= absl::ZeroDuration() || !changed_.WaitFor(mutex_, left)) return;
    }
  }

  const Options options_;
  base::Clock& clock_;
  const Work work_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Job*> queue_ ABSL_GUARDED_BY(mutex_);
  bool leading_ ABSL_GUARDED_BY(mutex_) = false;
  size_t former_count_ ABSL_GUARDED_BY(mutex_) = 0;
  // Jobs are taken in the order they came, so two counts tell which are done.
  uint64_t queued_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::cas
