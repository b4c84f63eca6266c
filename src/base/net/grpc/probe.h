// Asks a running server whether it serves: for health checks of containers and service managers.
// gRPC stays in the .cc. Thread-safe: free functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/net/grpc/channel.h"
#include "base/net/tls.h"

namespace slipway::base::net {

// OK: the gRPC health service at options.address says SERVING. FailedPrecondition: it says
// something else. Unavailable, DeadlineExceeded: nobody answers. Blocks.
absl::Status Probe(const ChannelOptions& options, Files& files, absl::Time now,
                   absl::Duration timeout);

// How to ask a server that listens at `listen` with `tls`: at `address`, or where it listens if
// that is empty; over TLS if it speaks that, with its own certificate where it wants one. On this
// machine any certificate will do, for its name is the one that clients use, and who signed it may
// be nobody's business here. InvalidArgument: the address.
absl::StatusOr<ChannelOptions> ProbeOptions(const std::string& listen, const TlsOptions& tls,
                                            const std::string& address, Files& files);

}  // namespace slipway::base::net
