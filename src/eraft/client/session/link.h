// What the dispatcher needs of a network: streams to nodes and the two calls about sessions. The
// real one is gRPC; tests and a cluster within the process have others. Loop-only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "eraft/client/session/operation.h"

namespace slipway::eraft::client {

// Numbers of reads, which are in no session, have this bit, so that none is that of a command.
inline constexpr uint64_t kReadBit = uint64_t{1} << 63;

struct WireCommand {
  uint64_t id = 0;
  const Operation* operation = nullptr;  // lives for the call of Send
};

struct WireBatch {
  uint64_t session = 0;  // 0: reads
  uint64_t acknowledged = 0;
  std::vector<WireCommand> commands;
};

// What a server says about one command; its numbers are those of slipway.eraft.client.v1.Code.
enum class Code : uint8_t {
  kOk = 0,
  kNoKey = 1,
  kMismatch = 2,
  kWrongGroup = 3,
  kNotLeader = 4,
  kNotExecuted = 5,
  kUnknown = 6,
  kTooLarge = 7,
  kSessionExpired = 8,
  kBusy = 9,
  kNoSpace = 10,
};

struct WireResult {
  uint64_t id = 0;
  Code code = Code::kOk;
  Reply reply;  // `found` is not set here
};

struct WireResults {
  std::vector<WireResult> results;
  std::string leader;   // empty: not said
  uint64_t credit = 0;  // commands that may be under way; 0: not said
};

// Told on the loop, never from within a call to the link; not any more once it is destroyed. A link
// may be destroyed by what it tells.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void OnSent() = 0;  // the next batch may go
  virtual void OnResults(WireResults results) = 0;
  // It is over; `leader`: who leads, if the node knows and says so.
  virtual void OnClosed(absl::Status status, std::string leader) = 0;
};

// One stream to one node.
class Link {
 public:
  virtual ~Link() = default;
  // Once at the begin, then once after each OnSent.
  virtual void Send(const WireBatch& batch) = 0;
};

struct SessionGrant {
  absl::StatusOr<uint64_t> id;
  std::string leader;  // with an error
};

class Dialer {
 public:
  virtual ~Dialer() = default;
  // Begins to connect; trouble is told by OnClosed.
  virtual std::unique_ptr<Link> Dial(const std::string& address, LinkEvents& events) = 0;
  // `done` comes on the loop, also after the dialer's end.
  virtual void Register(const std::string& address, absl::Duration timeout,
                        absl::AnyInvocable<void(SessionGrant)> done) = 0;
  // Ends a session; nobody waits for it.
  virtual void CloseSession(const std::string& address, uint64_t session) = 0;
};

}  // namespace slipway::eraft::client
