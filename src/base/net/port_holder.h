// Who listens on a port, for the message of one who cannot. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace slipway::base::net {

// "process 4711 (nginx)". Empty: nobody listens on it, or who does is not visible from here
// (another user's process, another namespace). Reads /proc, for tens of milliseconds on a busy
// machine.
std::string PortHolder(uint16_t port);

}  // namespace slipway::base::net
