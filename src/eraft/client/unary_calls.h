// Single calls of the legacy and of the etcd API, many under way at a time, each as cheap as gRPC
// makes it and told as it came, without a session or a second attempt: for programs that measure
// (E30). Thread-compatible. No gRPC here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/world.h"
#include "eraft/client/connect_options.h"

namespace slipway::eraft::client {

enum class UnaryApi : uint8_t {
  kLegacy,  // kvraftpb.KVService.Command
  kEtcd,    // etcdserverpb.KV, Put and Range
};

struct UnaryRequest {
  bool write = true;  // else a read
  std::string key, value;
  int64_t client_id = 0, command_id = 0;  // legacy
  bool serializable = false;              // etcd: a read of what the server has
};

struct UnaryAnswer {
  uint64_t tag = 0;
  absl::Status status;  // of the call
  std::string err;      // legacy: one of E51's words; empty where the call failed
  std::string leader;   // who leads, if the server says so
};

class UnaryCalls {
 public:
  // Over `connections` connections to each server. Waits until one server can be reached, for a
  // second at most for each. Errors of Channels::Open and of the first server's Connected.
  static base::Owned<UnaryCalls> Open(const ConnectOptions& options, UnaryApi api, int connections,
                                      base::World& world);
  // Cancels what is under way.
  virtual ~UnaryCalls() = default;

  // Begins a call to `address` over the connection number `connection`; its answer carries `tag`.
  virtual void Start(const std::string& address, int connection, uint64_t tag,
                     const UnaryRequest& request, absl::Duration timeout) = 0;
  // The next answer, or nothing within `wait`.
  virtual std::optional<UnaryAnswer> Wait(absl::Duration wait) = 0;
};

}  // namespace slipway::eraft::client
