// Work of several threads done in groups by some of them (leaders and followers): what comes while
// a group is being worked on forms the next one. No thread of its own. Thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
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
  // Fills the results into the jobs. `lane` is a number below lanes_max that no other call has at
  // that time.
  using Work = std::function<void(absl::Span<Job* const> group, size_t lane)>;

  struct Options {
    size_t group_max = 256;
    // The longest time a leader waits for as many jobs as the group before had, where that one was
    // shared: who was answered together comes back together, and one that is first by a hair must
    // not cost the others a group of their own. Lone callers never wait.
    absl::Duration delay_max = absl::ZeroDuration();
    // So many groups are worked on at a time. One begins beside others only where so many jobs
    // wait: else they would be many groups of a few.
    size_t lanes_max = 1;
    size_t beside_min = 64;
  };

  GroupQueue(const Options& options, base::Clock& clock, Work work)
      : options_(options), clock_(clock), work_(std::move(work)) {
    SLIPWAY_CHECK(options.group_max > 0);
    for (size_t lane = options.lanes_max; lane > 0; --lane) lanes_.push_back(lane - 1);
    SLIPWAY_CHECK(!lanes_.empty());
  }
  GroupQueue(const GroupQueue&) = delete;
  GroupQueue& operator=(const GroupQueue&) = delete;

  // Returns when `work` has had all of `jobs`; it gets them in their order, and those of several
  // callers in the order of the callers.
  void Run(absl::Span<Job* const> jobs) {
    if (jobs.empty()) return;
    const auto caller = std::make_shared<Caller>();
    caller->left = jobs.size();
    mutex_.Lock();
    for (Job* job : jobs) queue_.push_back({job, caller});
    if (queue_.size() >= wanted_) company_.NotifyOne();
    while (caller->left > 0) {
      if (MayLead()) {
        Lead();
      } else {
        caller->wake.Wait(mutex_);
      }
    }
    // Of those whose jobs nobody took the first one leads, unless somebody comes before it.
    const CallerPtr next = MayLead() ? queue_.front().caller : nullptr;
    mutex_.Unlock();
    if (next != nullptr) next->wake.NotifyOne();
  }

  // Jobs that no leader has taken yet.
  size_t waiting() {
    const base::MutexLock lock(mutex_);
    return queue_.size();
  }

 private:
  // Each caller waits for a signal of its own: with one for all, each group would wake everybody,
  // most of them for nothing. Shared, since the signal is given when nothing is locked any more.
  struct Caller {
    size_t left = 0;  // of its jobs; guarded by mutex_
    base::CondVar wake;
  };
  using CallerPtr = std::shared_ptr<Caller>;
  struct Item {
    Job* job = nullptr;
    CallerPtr caller;
  };

  bool MayLead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (queue_.empty() || lanes_.empty() || wanted_ != SIZE_MAX) return false;
    return lanes_.size() == options_.lanes_max || queue_.size() >= options_.beside_min;
  }

  void Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t lane = lanes_.back();
    lanes_.pop_back();
    WaitForCompany();
    const auto end =
        queue_.begin() + static_cast<ptrdiff_t>(std::min(queue_.size(), options_.group_max));
    const std::vector<Item> group(std::make_move_iterator(queue_.begin()),
                                  std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
    former_count_ = group.size();
    std::vector<Job*> jobs;
    jobs.reserve(group.size());
    for (const Item& item : group) jobs.push_back(item.job);
    mutex_.Unlock();
    work_(jobs, lane);
    mutex_.Lock();
    std::vector<CallerPtr> answered;
    for (const Item& item : group) {
      if (--item.caller->left == 0) answered.push_back(item.caller);
    }
    mutex_.Unlock();  // or each of them would wait again at once, for the lock
    for (const CallerPtr& caller : answered) caller->wake.NotifyOne();
    mutex_.Lock();
    lanes_.push_back(lane);
  }

  void WaitForCompany() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (former_count_ < 2 || queue_.size() >= options_.beside_min) return;
    wanted_ = std::min({former_count_, options_.group_max, options_.beside_min});
    const absl::Duration end = clock_.Monotonic() + options_.delay_max;
    while (queue_.size() < wanted_) {
      const absl::Duration left = end - clock_.Monotonic();
      if (left <= absl::ZeroDuration() || !company_.WaitFor(mutex_, left)) break;
    }
    wanted_ = SIZE_MAX;
  }

  const Options options_;
  base::Clock& clock_;
  const Work work_;
  base::Mutex mutex_;
  base::CondVar company_;                              // for the leader that waits for it
  size_t wanted_ ABSL_GUARDED_BY(mutex_) = SIZE_MAX;   // jobs that it waits for
  std::vector<size_t> lanes_ ABSL_GUARDED_BY(mutex_);  // free ones
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  size_t former_count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::cas
