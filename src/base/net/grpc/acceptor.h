// Accepts the connections of one listener and hands them to gRPC. gRPC's own listener ends for ever
// the first time that no descriptor is free, and would give connections the last one.
// Private to base/net/grpc. Thread-compatible.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/metrics/metrics.h"
#include "base/net/endpoint.h"

namespace slipway::base::net {

class Acceptor {
 public:
  using Sink = grpc::experimental::ExternalConnectionAcceptor;

  // Listens on all addresses that the endpoints name; those of one endpoint share a port. Clients
  // wait in the queue until Start. `refused` may be null. Unavailable with the address and the
  // reason: in use (also where only one of the addresses of a name is), not one of this machine, no
  // permission, unknown name. Blocks on name resolution unless the host is an address.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Listen(const std::vector<Endpoint>& endpoints,
                                                          Counter* refused);
  ~Acceptor() { Stop(); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const { return port_; }  // of the first address
  // Once, when the server of `sink` runs. Thread "grpc-accept".
  void Start(std::unique_ptr<Sink> sink);
  // Nobody connects any more; connections that were handed over go on. Idempotent.

  void Stop();

 private:
  explicit Acceptor(Counter* refused);
  absl::Status Add(const Endpoint& endpoint);
  int AddOnce(const Endpoint& endpoint, bool* bound);
  void Run();
  bool Accept(int listener);

  Counter* const refused_;
  int port_ = 0;
  int wake_;  // an eventfd: Stop was called
  std::vector<int> listeners_;
  std::unique_ptr<Sink> sink_;
  std::thread thread_;
};

}  // namespace slipway::base::net
