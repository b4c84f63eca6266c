#include "eraft/service/probe.h"

#include "base/net/grpc/probe.h"
#include "base/status.h"

namespace slipway::eraft {

absl::Status ProbeKvServer(const KvServerSettings& settings, const std::string& address,
                           base::World& world, absl::Duration timeout) {
  SLIPWAY_ASSIGN_OR_RETURN(
      const base::net::ChannelOptions options,
      base::net::ProbeOptions(settings.plan.listen, settings.config.tls, address, world.files));
  return base::net::Probe(options, world.files, world.clock.Wall(), timeout);
}

}  // namespace slipway::eraft
