// The last round trips to one peer, and what they tell about its clock. Thread-compatible.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "absl/time/time.h"

namespace slipway::eraft::link {

class RoundTrips {
 public:
  // `difference`: the peer's time of day less ours in the middle of the round trip.
  void Add(absl::Duration round_trip, absl::Duration difference);

  absl::Duration last() const { return last_; }  // zero: none
  absl::Duration Quantile(double q) const;       // of the last kWindow; zero: none
  // That of the quickest of the last few: it is off by half its round trip at most.
  absl::Duration clock_difference() const;

 private:
  static constexpr size_t kWindow = 512;
  static constexpr size_t kClockWindow = 16;
  struct Sample {
    absl::Duration round_trip, difference;
  };

  absl::Duration last_;
  std::array<absl::Duration, kWindow> window_;
  std::array<Sample, kClockWindow> clock_;
  size_t count_ = 0;
};

}  // namespace slipway::eraft::link
