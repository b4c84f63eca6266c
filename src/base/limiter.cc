#include "base/limiter.h"

#include <algorithm>

namespace slipway::base {

void Limiter::Refill(absl::Duration now) {
  if (now <= last_) return;
  tokens_ = std::min(burst_, tokens_ + absl::ToDoubleSeconds(now - last_) * rate_);
  last_ = now;
}

bool Limiter::TryTake(double tokens, absl::Duration now) {
  if (rate_ <= 0) return true;
  Refill(now);
  if (tokens_ < tokens) return false;
  tokens_ -= tokens;
  return true;
}

absl::Duration Limiter::Take(double tokens, absl::Duration now) {
  if (rate_ <= 0) return absl::ZeroDuration();
  Refill(now);
  tokens_ -= tokens;
  return tokens_ >= 0 ? absl::ZeroDuration() : absl::Seconds(-tokens_ / rate_);
}

}  // namespace slipway::base
