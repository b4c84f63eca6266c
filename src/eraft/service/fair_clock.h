// The time of day that a leader gives to its commands, by which sessions expire (E143). Its own
// clock may be days ahead, or jump while it leads; that must not cost all clients their sessions,
// for then what they send again is done twice. Thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/sync/mutex.h"

namespace slipway::eraft {

class FairClock {
 public:
  // So far clocks may differ, and a clock may be set forward at once.
  static constexpr absl::Duration kTolerance = absl::Seconds(10);
  // A greater step forward counts once it has lasted so long, and the others' clocks agree.
  static constexpr absl::Duration kStepLasts = absl::Seconds(5);

  // Before the first Look: the time of day of the group's last command, as the node found it. Until
  // peers are heard from time runs from there: the own clock may be the wrong one, and a leader's
  // first command counts.
  void Begin(absl::Time group, absl::Duration monotonic);
  // The own clocks of now, and by how much the time of day of each peer that is heard from is ahead
  // of the own one; none while there are some (`has_peers`) says nothing. About every second.
  // Whether the own clock is too far ahead.
  bool Look(absl::Time wall, absl::Duration monotonic, std::vector<absl::Duration> peers,
            bool has_peers);
  // No later than the own time of day, and than what Look was told allows.
  absl::Time Now(absl::Time wall, absl::Duration monotonic) const;

 private:
  mutable base::Mutex mutex_;
  // What is allowed: the time at some instant, from which it runs as the monotonic clock does.
  std::optional<absl::Time> time_ ABSL_GUARDED_BY(mutex_);
  absl::Duration at_ ABSL_GUARDED_BY(mutex_);
  bool of_group_ ABSL_GUARDED_BY(mutex_) = false;  // `time_` is that of Begin
  bool ahead_ ABSL_GUARDED_BY(mutex_) = false;     // what Look said last
  std::optional<absl::Duration> ahead_since_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft
