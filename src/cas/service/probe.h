// Asks a running server whether it serves (Z146): for health checks of containers and service
// managers. gRPC stays in the .cc.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/net/tls.h"

namespace slipway::cas {

// OK: the gRPC health service at `address` says SERVING. FailedPrecondition: it says something
// else. Unavailable, DeadlineExceeded: nobody answers. With `tls.enabled()` over TLS. Blocks.
absl::Status Probe(const std::string& address, const base::net::TlsOptions& tls, base::Files& files,
                   absl::Time now, absl::Duration timeout);

}  // namespace slipway::cas
