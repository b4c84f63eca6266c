// A thread with a name that shows in debuggers and in /proc. Thread-compatible.
#pragma once

#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/loop.h"

namespace slipway::base::os {

// Names are cut to the 15 bytes that the kernel keeps. The thread inherits the signal mask, so
// signals that World blocked stay blocked in it. ResourceExhausted when the system gives none.
absl::StatusOr<std::thread> TryStartThread(absl::string_view name, Task body);

// The same for a thread without which the program cannot work: when the system gives none, the
// program ends with a message and exit code 1.
std::thread StartThread(absl::string_view name, Task body);

}  // namespace slipway::base::os
