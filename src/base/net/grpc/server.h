// A gRPC server for every program: listeners, TLS that follows its files, health, reflection,
// limits, drain. No gRPC include here; grpc_service.h has what services need. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/metrics/metrics.h"
#include "base/net/health.h"
#include "base/net/tls.h"
#include "base/status.h"

namespace slipway::base::net {

// A service, made by the folder that implements it (grpc_service.h). Outlives the server.
class Service {
 public:
  struct Raw;
  virtual ~Service() = default;
  virtual Raw& raw() = 0;
};

struct Listener {
  std::vector<std::string> addresses;  // "host:port"; port 0: a free one
  std::shared_ptr<TlsWatcher> tls;     // null: plain text
  std::vector<Service*> services;      // health and reflection are added
};

struct ServerOptions {
  size_t message_bytes_max = 4 << 20;
  int streams_per_connection_max = 256;
  int calls_max = 1024;  // of all listeners; over it RESOURCE_EXHAUSTED with retry-after-ms
  // A connection that was silent for so long is asked for a sign of life, and dropped without one.
  absl::Duration keepalive = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  absl::Duration handshake_timeout = absl::Seconds(20);
  absl::Duration idle_timeout = absl::InfiniteDuration();  // of a connection without a call
  size_t memory_bytes_max = 256 << 20;  // gRPC's buffers together (resource quota)
  bool reflection = true;
  std::string metric_prefix;  // "zako": zako_rpc_requests_total{service,method,code}, …
};

class Server {
 public:
  // Binds everything or nothing. Unavailable: an address cannot be bound, naming it (exit code 3 is
  // the caller's). InvalidArgument: an address does not parse.
  static Owned<Server> Start(const std::vector<Listener>& listeners, const ServerOptions& options,
                             Health& health, Metrics& metrics);
  // Whether all of them can be listened on, now: for who makes nothing before he knows. Errors of
  // Start.
  static absl::Status TryListen(const std::vector<std::string>& addresses);
  virtual ~Server() = default;  // as Drain(now)
  // The port of the first address of a listener.
  virtual int port(size_t listener_index) const = 0;
  // Says GOAWAY, waits for running calls until `timeout` has passed, then lets them end themselves
  // (ServerCall::OnStop), and half a second later cancels what is left: UNAVAILABLE at the client.
  // Returns when all are over. Idempotent.
  virtual void Drain(absl::Duration timeout) = 0;
};

}  // namespace slipway::base::net
