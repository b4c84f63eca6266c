// The clocks of the system. Thread-safe.
#pragma once

#include "base/clock.h"

namespace slipway::base::os {

class SystemClock : public Clock {
 public:
  absl::Time Wall() override;
  absl::Duration Monotonic() override;  // since the machine started, time asleep included
};

}  // namespace slipway::base::os
