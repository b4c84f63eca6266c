#include "base/sim/loop_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace slipway::base::sim {

// Shared with the timers, which may outlive the pool.
struct LoopPool::State : std::enable_shared_from_this<LoopPool::State> {
  State(uint64_t seed, base::Loop& its_loop, Options its_options)
      : loop(its_loop), options(its_options), choices(seed) {}

  base::Loop& loop;
  Options options;
  Stream choices;
  std::deque<Task> jobs;
  int busy = 0;  // threads that will take a job when their timer ends
  uint64_t life = 0;

  // As many threads are at work as there are jobs for.
  void Start() {
    while (busy < options.threads && static_cast<size_t>(busy) < jobs.size()) {
      ++busy;
      const int64_t spread = absl::ToInt64Nanoseconds(options.takes_max - options.takes_min);
      const auto more = static_cast<int64_t>(
          spread > 0 ? choices.Next() % static_cast<uint64_t>(spread) : uint64_t{0});
      loop.After(options.takes_min + absl::Nanoseconds(more),
                 [self = shared_from_this(), life = life] {
                   if (life != self->life) return;
                   --self->busy;
                   self->RunOne();
                   self->Start();
                 });
    }
  }

  bool RunOne() {
    if (jobs.empty()) return false;
    size_t which = 0;
    if (options.threads > 1) which = static_cast<size_t>(choices.Below(jobs.size()));
    Task job = std::move(jobs[which]);
    jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(which));
    job();
    return true;
  }
};

LoopPool::LoopPool(uint64_t seed, base::Loop& loop, Options options)
    : state_(std::make_shared<State>(seed, loop, options)) {}

LoopPool::~LoopPool() { Forget(); }

absl::Status LoopPool::Submit(Task job) {
  if (state_->jobs.size() >= state_->options.queue_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("submit a job: ", state_->options.queue_max, " are waiting already"));
  }
  state_->jobs.push_back(std::move(job));
  state_->Start();
  return absl::OkStatus();
}

bool LoopPool::RunOne() { return state_->RunOne(); }

int LoopPool::threads() const { return state_->options.threads; }

void LoopPool::SetTakes(absl::Duration min, absl::Duration max) {
  state_->options.takes_min = min;
  state_->options.takes_max = std::max(min, max);
}

void LoopPool::Forget() {
  ++state_->life;
  state_->busy = 0;
  while (!state_->jobs.empty()) {  // what is destroyed may submit anew
    const std::deque<Task> gone = std::exchange(state_->jobs, {});
  }
}

size_t LoopPool::waiting() const { return state_->jobs.size(); }

}  // namespace slipway::base::sim
