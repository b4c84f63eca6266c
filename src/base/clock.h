// The two clocks. Thread-safe.
#pragma once

#include "absl/time/time.h"

namespace slipway::base {

class Clock {
 public:
  virtual ~Clock() = default;
  // Time of day; may jump in both directions. For records and logs only.
  virtual absl::Time Wall() = 0;
  // Time since some fixed point; never goes back. For deadlines, durations and leases.
  virtual absl::Duration Monotonic() = 0;
};

}  // namespace slipway::base
