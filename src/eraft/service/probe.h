// Asks a running kvserver whether it serves. Thread-safe: free function; blocks.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/world.h"
#include "eraft/service/flags.h"

namespace slipway::eraft {

// At `address`, or where the settings say that it listens. As base::net::Probe.
absl::Status ProbeKvServer(const KvServerSettings& settings, const std::string& address,
                           base::World& world, absl::Duration timeout);

}  // namespace slipway::eraft
