#include "base/sync/strand.h"

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/sync/mutex.h"

namespace slipway::base {

struct Strand::State : std::enable_shared_from_this<Strand::State> {
  State(Pool& used_pool, size_t max) : pool(used_pool), queue_max(max) {}

  Pool& pool;
  const size_t queue_max;
  Mutex mutex;
  std::deque<Task> jobs ABSL_GUARDED_BY(mutex);  // not started yet
  // A call of RunNext is queued in the pool or running: the one that keeps jobs from overtaking.
  bool scheduled ABSL_GUARDED_BY(mutex) = false;

  // The pool is asked under the lock of the strand, so that no later job can be accepted while it
  // is open whether this one is. The pool never calls back from Submit.
  absl::Status Schedule() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return pool.Submit([self = shared_from_this()] { self->RunNext(); });
  }

  // One job a turn, so that strands share the pool fairly; more only while the pool is full.
  void RunNext() {
    while (true) {
      Task job;
      {
        MutexLock lock(mutex);
        if (jobs.empty()) {
          scheduled = false;
          return;
        }
        job = std::move(jobs.front());
        jobs.pop_front();
      }
      job();
      job = nullptr;
      MutexLock lock(mutex);
      if (jobs.empty()) {
        scheduled = false;
        return;
      }
      if (Schedule().ok()) return;
    }
  }
};

Strand::Strand(Pool& pool, size_t queue_max) : state_(std::make_shared<State>(pool, queue_max)) {
  SLIPWAY_CHECK(queue_max > 0);
}

Strand::~Strand() {
  std::deque<Task> dropped;  // destroyed after the lock is released
  MutexLock lock(state_->mutex);
  dropped.swap(state_->jobs);
}

absl::Status Strand::Submit(Task job) {
  MutexLock lock(state_->mutex);
  if (state_->jobs.size() >= state_->queue_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("queue job: ", state_->queue_max, " jobs wait already"));
  }
  state_->jobs.push_back(std::move(job));
  if (state_->scheduled) return absl::OkStatus();
  absl::Status status = state_->Schedule();
  if (status.ok()) {
    state_->scheduled = true;
  } else {
    job = std::move(state_->jobs.back());  // destroyed after the lock is released
    state_->jobs.pop_back();
  }
  return status;
}

}  // namespace slipway::base
