// The clock of one machine among several in one simulation: it runs too fast or too slow against
// the time that passes for all, and somebody may set its time of day. Thread-safe.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/sync/mutex.h"

namespace slipway::base::sim {

class NodeClock : public base::Clock {
 public:
  // `common` outlives it. Both clocks begin as the common ones are now.
  explicit NodeClock(base::Clock& common);
  absl::Time Wall() override;
  absl::Duration Monotonic() override;

  // From now on so many of its seconds pass in each common second: 0.9 to 1.1 is what clocks do.
  // CHECK: positive.
  void SetRate(double rate);
  double rate() const;
  // The time of day jumps, in either direction; monotonic time does not.
  void JumpWall(absl::Duration by);
  // How long a span of this clock takes in common time, at the rate of now.
  absl::Duration InCommonTime(absl::Duration own) const;

 private:
  absl::Duration Elapsed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  base::Clock& common_;
  mutable Mutex mutex_;
  absl::Duration since_ ABSL_GUARDED_BY(mutex_);      // common monotonic time of the last SetRate
  absl::Duration monotonic_ ABSL_GUARDED_BY(mutex_);  // then
  absl::Time wall_ ABSL_GUARDED_BY(mutex_);
  double rate_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace slipway::base::sim
