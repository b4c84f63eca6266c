#include "base/os/clock.h"

#include <ctime>

#include "absl/time/clock.h"

namespace slipway::base::os {

absl::Time SystemClock::Wall() { return absl::Now(); }

absl::Duration SystemClock::Monotonic() {
  timespec now = {};
  // Not CLOCK_MONOTONIC, which stands still while the machine is suspended: leases and deadlines
  // would outlive that.
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace slipway::base::os
