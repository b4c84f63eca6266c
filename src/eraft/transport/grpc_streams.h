// The streams of the links as gRPC's calls. Private to eraft/transport.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/loop.h"
#include "base/net/call.h"
#include "base/net/grpc/server.h"
#include "base/net/tls.h"
#include "base/random.h"
#include "eraft/transport/link/inbox.h"
#include "eraft/transport/link/streams.h"

namespace slipway::eraft {

// Each Dial opens a channel of its own: so the name is looked up and the certificates are read
// anew, and no connection that was given up is used again. `token`: as in
// TransportOptions. `files` and `clock` are borrowed; calls are counted in `running`.
std::unique_ptr<link::Dialer> MakeGrpcDialer(base::net::TlsOptions tls,
                                             std::function<std::string()> token, base::Files& files,
                                             base::Clock& clock, link::Running running);

// Whether a caller may be a node at all: before it greets, and from time to time.
using Admit = std::function<absl::Status(const base::net::Call&)>;

// Hands the calls of RaftTransport.Stream to `inbox`, if `admit`, which may be null, has nothing
// against the caller.
std::unique_ptr<base::net::Service> MakeTransportService(std::shared_ptr<link::Inbox> inbox,
                                                         link::Running running, Admit admit);

// The same by unary calls of raftpb.RaftService, each a message (E124).
struct UnaryDialerOptions {
  base::net::TlsOptions tls;
  std::function<std::string()> token;
  base::Files& files;
  base::Clock& clock;
  base::Random& random;
  link::Running running;
};
std::unique_ptr<link::Dialer> MakeUnaryDialer(const UnaryDialerOptions& options);

struct UnaryServiceOptions {
  std::shared_ptr<link::Inbox> inbox;
  base::Loop& loop;
  link::Running running;
  Admit admit;
};
std::unique_ptr<base::net::Service> MakeUnaryService(UnaryServiceOptions options);

}  // namespace slipway::eraft
