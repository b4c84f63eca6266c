// An event loop: one thread, one task at a time.
#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace slipway::base {

using Task = absl::AnyInvocable<void()>;

// Post: from any thread. After and Cancel: on the loop only. Tasks must not block.
class Loop {
 public:
  virtual ~Loop() = default;
  // Runs `task` on the loop after those posted before it.
  virtual void Post(Task task) = 0;
  // Runs `task` once after `delay`; returns an id for Cancel, never 0.
  virtual uint64_t After(absl::Duration delay, Task task) = 0;
  // Forgets a timer that has not run; an unknown id is ignored.
  virtual void Cancel(uint64_t timer) = 0;
};

}  // namespace slipway::base
