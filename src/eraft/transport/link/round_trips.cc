#include "eraft/transport/link/round_trips.h"

#include <algorithm>
#include <vector>

namespace slipway::eraft::link {

void RoundTrips::Add(absl::Duration round_trip, absl::Duration difference) {
  last_ = round_trip;
  window_[count_ % kWindow] = round_trip;
  clock_[count_ % kClockWindow] = {round_trip, difference};
  ++count_;
}

absl::Duration RoundTrips::Quantile(double q) const {
  const size_t count = std::min(count_, kWindow);
  if (count == 0) return absl::ZeroDuration();
  std::vector<absl::Duration> sorted(window_.begin(),
                                     window_.begin() + static_cast<ptrdiff_t>(count));
  const auto at = std::min(count - 1, static_cast<size_t>(q * static_cast<double>(count)));
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(at), sorted.end());
  return sorted[at];
}

absl::Duration RoundTrips::clock_difference() const {
  const size_t count = std::min(count_, kClockWindow);
  if (count == 0) return absl::ZeroDuration();
  return std::min_element(
             clock_.begin(), clock_.begin() + static_cast<ptrdiff_t>(count),
             [](const Sample& a, const Sample& b) { return a.round_trip < b.round_trip; })
      ->difference;
}

}  // namespace slipway::eraft::link
