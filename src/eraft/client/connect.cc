#include "eraft/client/connect.h"

#include <utility>

#include "eraft/client/channels.h"
#include "eraft/client/pipeline_dialer.h"

namespace slipway::eraft::client {

base::Owned<Client> Connect(const ConnectOptions& options, base::Loop& loop, base::World& world,
                            DispatcherOptions dispatcher) {
  SLIPWAY_ASSIGN_OR_RETURN(std::shared_ptr<Channels> channels,
                           Channels::Open(options, world.files, world.clock));
  dispatcher.addresses = options.addresses;
  return Client::Make(std::move(dispatcher), loop, world.clock, world.random,
                      MakePipelineDialer(std::move(channels), loop, world.pool));
}

}  // namespace slipway::eraft::client
