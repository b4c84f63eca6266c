// TLS 1.3 as the lowest version of a gRPC server. gRPC 1.51 has no option for it where certificates
// change while the server runs. Thread-safe.
#pragma once

#include <string>

namespace slipway::base::net {

// From now on handshakes of this process with the own certificate of this fingerprint (SHA-256,
// hex) refuse TLS 1.2.
void RequireTls13(const std::string& fingerprint);

}  // namespace slipway::base::net
