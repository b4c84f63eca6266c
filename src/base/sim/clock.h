// A clock that stands still unless told to move. Thread-safe.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/sync/mutex.h"

namespace slipway::base::sim {

class Clock : public base::Clock {
 public:
  // Starts at 2024-01-20T10:00:00Z; monotonic time starts elsewhere, as it does on a real machine.
  Clock() = default;
  absl::Time Wall() override;
  absl::Duration Monotonic() override;

  // Time passes, on both clocks. CHECK: not negative.
  void Advance(absl::Duration duration);
  // Somebody sets the time of day; monotonic time goes on as before.
  void SetWall(absl::Time time);

 private:
  Mutex mutex_;
  absl::Time wall_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'705'744'800);
  absl::Duration monotonic_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(1000);
};

}  // namespace slipway::base::sim
