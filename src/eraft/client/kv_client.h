// A client of kvraftpb.KVService, which servers of the reference speak too (E50, E146's plain
// sibling): one command at a time. Thread-safe; calls block. No gRPC here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "eraft/client/connect_options.h"
#include "eraft/client/session/operation.h"

namespace slipway::eraft::client {

struct NodeStatus {
  std::string address;
  absl::Status status;  // not OK: it said nothing, and the rest is empty
  int64_t id = 0;
  std::string role;  // Leader, Follower, Candidate
  int64_t term = 0;
  int64_t applied = 0;
  int64_t commit = 0;
  int64_t storage_bytes = 0;
};

class KvClient {
 public:
  // Connects with the first command. `world` outlives it; `cancel` ends what is under way. Errors
  // of Connect.
  static base::Owned<KvClient> Open(ConnectOptions options, base::World& world,
                                    base::CancelToken cancel = {});
  virtual ~KvClient() = default;

  // The value; nothing: there is no such key. `timeout` infinite: tries until it is done. Errors
  // are those of LegacySession::Run.
  virtual absl::StatusOr<std::optional<std::string>> Get(const std::string& key,
                                                         absl::Duration timeout) = 0;
  // Executed once, however often it had to be sent.
  virtual absl::Status Put(const std::string& key, const std::string& value,
                           absl::Duration timeout) = 0;
  virtual absl::Status Append(const std::string& key, const std::string& value,
                              absl::Duration timeout) = 0;
  // Asks all nodes at once (E29): in their order, whoever has not answered within `each` is told
  // so. Takes little longer than `each`; where none has answered, the first one's error says what
  // is known of the reason.
  virtual std::vector<NodeStatus> Status(absl::Duration each) = 0;
};

}  // namespace slipway::eraft::client
