// When to try again: exponential backoff with full jitter. Thread-compatible.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/random.h"

namespace slipway::base {

struct RetryOptions {
  absl::Duration base = absl::Milliseconds(200);
  absl::Duration cap = absl::Seconds(20);
  int tries_max = 8;  // the first one counts
};

// Whether an idempotent call that failed so may succeed when repeated: Unavailable, Aborted.
bool IsRetryable(const absl::Status& status);

// Says how long to wait before the next try, or that there is none.
class Retry {
 public:
  Retry(RetryOptions options, Random& random) : options_(options), random_(random) {}
  // After a failed try: the delay, uniform in [0, min(cap, base * 2^n)]; nullopt when `status` is
  // not retryable, the tries are used up, or the delay would pass `remaining` (time to the
  // deadline).
  std::optional<absl::Duration> Next(const absl::Status& status, absl::Duration remaining);
  int tries() const { return tries_; }

 private:
  RetryOptions options_;
  Random& random_;
  int tries_ = 1;
};

}  // namespace slipway::base
