#include "base/sim/node_clock.h"

#include "base/check.h"

namespace slipway::base::sim {

NodeClock::NodeClock(base::Clock& common)
    : common_(common),
      since_(common.Monotonic()),
      monotonic_(common.Monotonic()),
      wall_(common.Wall()) {}

absl::Duration NodeClock::Elapsed() const {
  const absl::Duration common = common_.Monotonic() - since_;
  return rate_ == 1 ? common : common * rate_;
}

absl::Time NodeClock::Wall() {
  const MutexLock lock(mutex_);
  return wall_ + Elapsed();
}

absl::Duration NodeClock::Monotonic() {
  const MutexLock lock(mutex_);
  return monotonic_ + Elapsed();
}

void NodeClock::SetRate(double rate) {
  SLIPWAY_CHECK(rate > 0);
  const MutexLock lock(mutex_);
  const absl::Duration elapsed = Elapsed();
  since_ = common_.Monotonic();
  monotonic_ += elapsed;
  wall_ += elapsed;
  rate_ = rate;
}

double NodeClock::rate() const {
  const MutexLock lock(mutex_);
  return rate_;
}

void NodeClock::JumpWall(absl::Duration by) {
  const MutexLock lock(mutex_);
  wall_ += by;
}

absl::Duration NodeClock::InCommonTime(absl::Duration own) const {
  const MutexLock lock(mutex_);
  return rate_ == 1 ? own : own / rate_;
}

}  // namespace slipway::base::sim
