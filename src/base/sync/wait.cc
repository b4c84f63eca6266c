#include "base/sync/wait.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/sync/mutex.h"

namespace slipway::base {

struct JobGroup::State {
  Mutex mutex;
  CondVar changed;
  size_t unfinished ABSL_GUARDED_BY(mutex) = 0;

  void Add() {
    MutexLock lock(mutex);
    ++unfinished;
  }
  void End() {
    MutexLock lock(mutex);
    --unfinished;
    changed.NotifyAll();
  }
};

namespace {

// Counts as finished when it is destroyed: a job that a pool drops unrun ends the wait too.
template <class State>
struct Counted {
  Counted(std::shared_ptr<State> group, Task work) : state(std::move(group)), job(std::move(work)) {
    state->Add();
  }
  ~Counted() {
    job = nullptr;  // what it captured ends before the wait does
    state->End();
  }
  std::shared_ptr<State> state;
  Task job;
};

}  // namespace

JobGroup::JobGroup(Pool& pool) : pool_(pool), state_(std::make_shared<State>()) {}

JobGroup::~JobGroup() { Wait(); }

void JobGroup::Run(Task job) {
  auto counted = std::make_shared<Counted<State>>(state_, std::move(job));
  const absl::Status queued = pool_.Submit([counted] { counted->job(); });
  if (!queued.ok()) counted->job();
}

void JobGroup::WaitUntil(size_t in_flight) {
  while (true) {
    {
      MutexLock lock(state_->mutex);
      if (state_->unfinished <= in_flight) return;
    }
    if (pool_.RunOne()) continue;
    // Nothing is queued, so the jobs are running elsewhere and will report.
    MutexLock lock(state_->mutex);
    while (state_->unfinished > in_flight) state_->changed.Wait(state_->mutex);
    return;
  }
}

absl::Status ParallelFor(Pool& pool, size_t count, absl::FunctionRef<absl::Status(size_t)> body) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  Mutex mutex;
  size_t lowest = count;
  absl::Status error;
  // Indices are given out in ascending order, and each that was given out is run: so all below the
  // first failure have been run when the work stops, and the lowest failure is always the same.
  const auto work = [&] {
    while (!failed.load(std::memory_order_relaxed)) {
      const size_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= count) return;
      absl::Status status = body(index);
      if (status.ok()) continue;
      MutexLock lock(mutex);
      failed.store(true, std::memory_order_relaxed);
      if (index < lowest) {
        lowest = index;
        error = std::move(status);
      }
    }
  };
  {
    JobGroup group(pool);
    const size_t helpers = std::min(count, static_cast<size_t>(pool.threads()) + 1);
    for (size_t i = 1; i < helpers; ++i) group.Run(work);
    work();
  }
  return error;
}

}  // namespace slipway::base
