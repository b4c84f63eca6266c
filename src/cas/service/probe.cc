#include "cas/service/probe.h"

#include "base/net/grpc/probe.h"

namespace slipway::cas {

absl::StatusOr<base::net::ChannelOptions> ProbeOptions(const CasdConfig& config,
                                                       const std::string& address,
                                                       base::Files& files) {
  return base::net::ProbeOptions(config.listen_cas, config.tls, address, files);
}

absl::Status Probe(const base::net::ChannelOptions& options, base::Files& files, absl::Time now,
                   absl::Duration timeout) {
  return base::net::Probe(options, files, now, timeout);
}

}  // namespace slipway::cas
