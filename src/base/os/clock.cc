#include "base/os/clock.h"

#include <ctime>

#include "absl/time/clock.h"

namespace slipway::base::os {

absl::Time SystemClock::Wall() { return absl::Now(); }

absl::Duration SystemClock::Monotonic() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace slipway::base::os
