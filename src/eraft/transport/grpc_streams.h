// The streams of the links as gRPC's calls. Private to eraft/transport.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/files.h"
#include "base/net/grpc/server.h"
#include "base/net/tls.h"
#include "eraft/transport/link/inbox.h"
#include "eraft/transport/link/streams.h"

namespace slipway::eraft {

// Each Dial opens a channel of its own: so the name is looked up and the certificates are read
// anew, and no connection that was given up is used again. `files` and `clock` are borrowed; calls
// are counted in `running`.
std::unique_ptr<link::Dialer> MakeGrpcDialer(base::net::TlsOptions tls, base::Files& files,
                                             base::Clock& clock, link::Running running);

// Hands the calls of RaftTransport.Stream to `inbox`. `certificate_required`: UNAUTHENTICATED for
// callers without one.
std::unique_ptr<base::net::Service> MakeTransportService(std::shared_ptr<link::Inbox> inbox,
                                                         link::Running running,
                                                         bool certificate_required);

}  // namespace slipway::eraft
