#include "base/retry.h"

#include <algorithm>

namespace slipway::base {

bool IsRetryable(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsAborted(status);
}

std::optional<absl::Duration> Retry::Next(const absl::Status& status, absl::Duration remaining) {
  if (!IsRetryable(status) || tries_ >= options_.tries_max) return std::nullopt;
  // Doubling stops long before it could overflow: the cap is reached first.
  absl::Duration ceiling = options_.base;
  for (int i = 1; i < tries_ && ceiling < options_.cap; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, options_.cap);
  const int64_t ceiling_ns = std::max<int64_t>(absl::ToInt64Nanoseconds(ceiling), 0);
  const absl::Duration delay =
      absl::Nanoseconds(static_cast<int64_t>(random_.Below(static_cast<uint64_t>(ceiling_ns) + 1)));
  if (delay > remaining) return std::nullopt;
  ++tries_;
  return delay;
}

}  // namespace slipway::base
