// Why an address cannot be listened on. gRPC itself only says that it cannot.
#pragma once

#include "absl/status/status.h"
#include "base/net/endpoint.h"

namespace slipway::base::net {

// Binds every address that the endpoint names for a moment. Unavailable with the address and the
// reason: in use (also where only one of the addresses of a name is), not one of this machine, no
// permission, unknown name. Blocks on name resolution unless the host is an address.
absl::Status CheckBindable(const Endpoint& endpoint);

}  // namespace slipway::base::net
