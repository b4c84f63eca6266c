// grpc.health.v1.Health over a base::net::Health. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/net/grpc/call_gate.h"
#include "base/net/grpc/grpc_service.h"
#include "base/net/health.h"

namespace slipway::base::net {

class HealthService : public Service {
 public:
  // "" is as ready as `health`.
  explicit HealthService(Health& health);
  ~HealthService() override;

  Raw& raw() override { return raw_; }
  // These full names of services are known too. Before the first call.
  void AddNames(const std::vector<std::string>& names);
  // Tells those who watch that nothing is served any more and ends their calls, so that they do not
  // hold up a drain; Check answers NOT_SERVING from now on. Idempotent.
  void Close();

 private:
  struct State;
  class Methods;
  class Watcher;
  std::shared_ptr<State> state_;
  std::unique_ptr<Methods> methods_;
  Raw raw_;
};

}  // namespace slipway::base::net
