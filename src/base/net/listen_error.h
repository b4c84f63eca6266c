// Why one cannot listen, with who does. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/net/endpoint.h"

namespace slipway::base::net {

// Unavailable, with what to do: `reason` is the errno of socket, bind or listen. Of EADDRINUSE it
// names the process that listens there, as PortHolder does.
absl::Status ListenError(const Endpoint& endpoint, int reason);
// The same with words: the name of the endpoint is of no address here.
absl::Status ListenError(const Endpoint& endpoint, absl::string_view reason);

// "process 4711 (nginx)". Empty: nobody listens on it, or who does is not visible from here
// (another user's process, another namespace). Reads /proc, for tens of milliseconds on a busy
// machine.
std::string PortHolder(uint16_t port);

}  // namespace slipway::base::net
