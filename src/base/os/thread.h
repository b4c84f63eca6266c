// A thread with a name that shows in debuggers and in /proc. Thread-compatible.
#pragma once

#include <thread>

#include "absl/strings/string_view.h"
#include "base/loop.h"

namespace slipway::base::os {

// Names are cut to the 15 bytes that the kernel keeps. The thread inherits the signal mask, so
// signals that World blocked stay blocked in it.
std::thread StartThread(absl::string_view name, Task body);

}  // namespace slipway::base::os
