// From what the configuration says to addresses to bind. Thread-safe: free function; blocks on
// files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace slipway::base::net {

// "host:port" as given; without a host, loopback (both families where the machine has both), or all
// addresses when `tls`. Port 0 gives one address: two would get two ports.
absl::StatusOr<std::vector<std::string>> ListenAddresses(absl::string_view text, bool tls,
                                                         Files& files);

// Whether the host of "host:port" can be found; an empty one can. InvalidArgument says why not.
// Blocks on the resolver.
absl::Status CheckResolvable(absl::string_view text);

}  // namespace slipway::base::net
