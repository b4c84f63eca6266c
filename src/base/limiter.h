// A token bucket. Thread-compatible; the caller brings the time.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace slipway::base {

class Limiter {
 public:
  // `rate` tokens a second, at most `burst` saved up; starts full. rate 0: no limit.
  Limiter(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}
  // Takes `tokens` if they are there at `now` (monotonic); false: nothing was taken.
  bool TryTake(double tokens, absl::Duration now);
  // Takes `tokens` on credit and says how long to wait before using them. For rates of bytes.
  absl::Duration Take(double tokens, absl::Duration now);

 private:
  void Refill(absl::Duration now);
  double rate_, burst_, tokens_;
  absl::Duration last_ = absl::ZeroDuration();
};

}  // namespace slipway::base
