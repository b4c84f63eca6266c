// How to reach the servers. Thread-compatible: values.
#pragma once

#include <string>
#include <vector>

#include "base/config/secret.h"
#include "base/net/tls.h"

namespace slipway::eraft::client {

struct ConnectOptions {
  std::vector<std::string> addresses;  // "host:port", at least one; more are learned
  base::net::TlsOptions tls;           // ca, cert, key, server_name (E26)
  bool use_tls = false;                // also without any of these: the system's authorities
  base::Secret token;                  // sent with every call (E191); empty: none
};

}  // namespace slipway::eraft::client
