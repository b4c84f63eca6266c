// Asks a running server whether it serves (Z146): for health checks of containers and service
// managers. gRPC stays in the .cc.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/net/grpc/channel.h"
#include "cas/service/casd.h"

namespace slipway::cas {

// OK: the gRPC health service at options.address says SERVING. FailedPrecondition: it says
// something else. Unavailable, DeadlineExceeded: nobody answers. Blocks.
absl::Status Probe(const base::net::ChannelOptions& options, base::Files& files, absl::Time now,
                   absl::Duration timeout);

// How to ask the server of `config`: at `address`, or where it listens if that is empty; over TLS
// if it speaks that, with its own certificate where it wants one. On this machine any certificate
// will do, for its name is the one that clients use, and who signed it may be nobody's business
// here. InvalidArgument: the address.
absl::StatusOr<base::net::ChannelOptions> ProbeOptions(const CasdConfig& config,
                                                       const std::string& address,
                                                       base::Files& files);

}  // namespace slipway::cas
