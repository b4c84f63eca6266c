#include "eraft/service/fair_clock.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/mutant.h"

namespace slipway::eraft {

void FairClock::Begin(absl::Time group, absl::Duration monotonic) {
  if (SLIPWAY_MUTANT("kv-first-clock-trusted")) return;
  base::MutexLock lock(mutex_);
  time_ = group;
  at_ = monotonic;
  of_group_ = true;
}

bool FairClock::Look(absl::Time wall, absl::Duration monotonic, std::vector<absl::Duration> peers,
                     bool has_peers) {
  base::MutexLock lock(mutex_);
  // A leader hears from others; it may be one before the next look.
  if (peers.empty() && has_peers) return ahead_;
  // Of an even number the earlier one: a session that lives too long does no harm.
  peers.push_back(absl::ZeroDuration());
  const auto middle = peers.begin() + static_cast<std::ptrdiff_t>((peers.size() - 1) / 2);
  std::nth_element(peers.begin(), middle, peers.end());
  ahead_ = *middle < -kTolerance;
  const absl::Time fair = ahead_ ? wall + *middle : wall;
  if (time_.has_value() && !std::exchange(of_group_, false)) {
    const absl::Time runs = *time_ + (monotonic - at_);
    if (fair - runs <= kTolerance) {
      ahead_since_.reset();
    } else if (monotonic - ahead_since_.value_or(monotonic) < kStepLasts) {
      // Perhaps a step that the peers' answers do not show yet.
      if (!ahead_since_.has_value()) ahead_since_ = monotonic;
      return ahead_ = true;
    } else {
      ahead_since_.reset();
    }
  }
  time_ = fair;
  at_ = monotonic;
  return ahead_;
}

absl::Time FairClock::Now(absl::Time wall, absl::Duration monotonic) const {
  base::MutexLock lock(mutex_);
  if (!time_.has_value()) return wall;
  return std::min(wall, *time_ + (monotonic - at_) + kTolerance);
}

}  // namespace slipway::eraft
