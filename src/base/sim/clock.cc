#include "base/sim/clock.h"

#include "base/check.h"

namespace slipway::base::sim {

absl::Time Clock::Wall() {
  const MutexLock lock(mutex_);
  return wall_;
}

absl::Duration Clock::Monotonic() {
  const MutexLock lock(mutex_);
  return monotonic_;
}

void Clock::Advance(absl::Duration duration) {
  SLIPWAY_CHECK(duration >= absl::ZeroDuration());
  const MutexLock lock(mutex_);
  wall_ += duration;
  monotonic_ += duration;
}

void Clock::SetWall(absl::Time time) {
  const MutexLock lock(mutex_);
  wall_ = time;
}

}  // namespace slipway::base::sim
