// gRPC server credentials of ours. Thread-safe.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "base/net/tls.h"

namespace slipway::base::net {

// Plain text when `tls` is null; else each new connection gets the material that is in force at
// that moment, and connections that exist are left alone. The result must outlive the server that
// uses it. One for each address.
std::shared_ptr<grpc::ServerCredentials> MakeCredentials(std::shared_ptr<TlsWatcher> tls);

}  // namespace slipway::base::net
