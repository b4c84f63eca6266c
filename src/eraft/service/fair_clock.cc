#include "eraft/service/fair_clock.h"

#include <algorithm>
#include <cstddef>

namespace slipway::eraft {

bool FairClock::Look(absl::Time wall, absl::Duration monotonic, std::vector<absl::Duration> peers) {
  // Of an even number the earlier one: a session that lives too long does no harm.
  peers.push_back(absl::ZeroDuration());
  const auto middle = peers.begin() + static_cast<std::ptrdiff_t>((peers.size() - 1) / 2);
  std::nth_element(peers.begin(), middle, peers.end());
  const bool ahead = *middle < -kTolerance;
  const absl::Time fair = ahead ? wall + *middle : wall;
  base::MutexLock lock(mutex_);
  if (time_.has_value()) {
    const absl::Time runs = *time_ + (monotonic - at_);
    if (fair - runs <= kTolerance) {
      ahead_since_.reset();
    } else if (monotonic - ahead_since_.value_or(monotonic) < kStepLasts) {
      // Perhaps a step that the peers' answers do not show yet.
      if (!ahead_since_.has_value()) ahead_since_ = monotonic;
      return true;
    } else {
      ahead_since_.reset();
    }
  }
  time_ = fair;
  at_ = monotonic;
  return ahead;
}

absl::Time FairClock::Now(absl::Time wall, absl::Duration monotonic) const {
  base::MutexLock lock(mutex_);
  if (!time_.has_value()) return wall;
  return std::min(wall, *time_ + (monotonic - at_) + kTolerance);
}

}  // namespace slipway::eraft
