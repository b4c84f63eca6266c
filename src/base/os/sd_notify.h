// Tells the service manager how far the program is (sd_notify(3)), without its library.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/world.h"

namespace slipway::base::os {

// Sends `state` ("READY=1", "STOPPING=1", "STATUS=…", several on lines of their own) to the socket
// that NOTIFY_SOCKET names: a path, or an abstract one after '@'. OK without the variable: nobody
// asked. InvalidArgument: the name is too long; else what the socket said. Never waits.
// Thread-safe.
absl::Status NotifyServiceManager(Environment& environment, absl::string_view state);

// What is to be sent before files are read again. The service manager holds its time against
// CLOCK_MONOTONIC, which Clock's is not.
std::string ReloadingState();

}  // namespace slipway::base::os
