// A pool whose jobs run on a loop, each some time after it was submitted: threads that take as long
// as the seed says, and a disk that is slow (the job takes effect when its time is over, so what is
// submitted to a slow disk is late to be there and late to be answered). One thread: the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/time/time.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/sim/random.h"

namespace slipway::base::sim {

class LoopPool : public base::Pool {
 public:
  struct Options {
    int threads =
        1;  // 1: jobs run in the order of Submit; more: the seed chooses among those queued
    size_t queue_max = 1024;
    absl::Duration takes_min = absl::Microseconds(50);  // uniform between the two
    absl::Duration takes_max = absl::Microseconds(500);
  };
  // `loop` outlives it.
  LoopPool(uint64_t seed, base::Loop& loop, Options options);
  ~LoopPool() override;
  absl::Status Submit(Task job) override;
  // Runs a job before its time.
  bool RunOne() override;
  int threads() const override;

  // For jobs that begin from now on.
  void SetTakes(absl::Duration min, absl::Duration max);
  // The process is gone: jobs that have not run are destroyed.
  void Forget();
  size_t waiting() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::base::sim
