// A client over the network. Thread-safe: a free function. No gRPC here.
#pragma once

#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "base/world.h"
#include "eraft/client/connect_options.h"
#include "eraft/client/session/client.h"

namespace slipway::eraft::client {

// Connects when the first operation is begun. `dispatcher.addresses` is taken from `options`.
// Everything outlives the client; its operations go over `loop`, connecting and name look-ups over
// `world.pool`. InvalidArgument: no address, one that does not parse, a token that no header can
// carry; errors of base::net::LoadTls.
base::Owned<Client> Connect(const ConnectOptions& options, base::Loop& loop, base::World& world,
                            DispatcherOptions dispatcher = {});

}  // namespace slipway::eraft::client
