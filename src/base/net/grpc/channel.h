// A gRPC client channel with the project's defaults. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/net/tls.h"
#include "base/status.h"

namespace slipway::base::net {

struct ChannelOptions {
  std::string address;   // "host:port"
  TlsOptions tls;        // enabled() or `use_tls`: encrypted
  bool use_tls = false;  // with the system's authorities
  // Any certificate of the server will do: to ask oneself, where nothing secret is said.
  bool any_server = false;
  std::string authority;  // name for TLS and :authority, if not the host of `address`
  size_t message_bytes_max = 4 << 20;
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration keepalive = absl::Seconds(30);
};

// Holds a grpc::Channel; grpc_client.h opens it for those who make stubs. Connects on first use.
class Channel {
 public:
  struct Raw;
  // InvalidArgument (address), errors of LoadTls.
  static Owned<Channel> Open(const ChannelOptions& options, Files& files, absl::Time now);
  virtual ~Channel() = default;
  virtual Raw& raw() = 0;
  virtual const ChannelOptions& options() const = 0;
};

}  // namespace slipway::base::net
