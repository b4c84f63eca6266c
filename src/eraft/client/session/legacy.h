// A client of the service kvraftpb.KVService without its network: who is asked, what is repeated
// with the same ids, and what is known of the outcome (E51, E57, E144). Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/random.h"
#include "eraft/client/session/operation.h"
#include "eraft/client/session/route.h"

namespace slipway::eraft::client {

enum class LegacyOp : uint8_t { kPut = 0, kAppend = 1, kGet = 2 };  // as on the wire

struct LegacyRequest {
  LegacyOp op = LegacyOp::kGet;
  std::string key, value;
  int64_t client_id = 0;
  int64_t command_id = 0;
};

struct LegacyAnswer {
  absl::Status status;  // of the call; OK: the rest was said
  bool sent = false;    // the request may have reached the server
  std::string err;      // one of E51's words
  std::string value;
  std::string leader;        // who leads, if the server knows
  std::string not_executed;  // why it was certainly not executed; empty: not said
};

// The network.
class LegacyCaller {
 public:
  virtual ~LegacyCaller() = default;
  // One attempt; blocks for `timeout` at most.
  virtual LegacyAnswer Command(const std::string& address, const LegacyRequest& request,
                               absl::Duration timeout) = 0;
  // Lets `duration` pass. False: whoever asked does not want it any more.
  virtual bool Wait(absl::Duration duration) = 0;
};

struct LegacyOptions {
  std::vector<std::string> addresses;
  RouteOptions route = {.pause = absl::Milliseconds(50)};
  absl::Duration attempt = absl::Seconds(2);  // that one node may take to answer
};

class LegacySession {
 public:
  LegacySession(LegacyOptions options, base::Clock& clock, base::Random& random,
                LegacyCaller& caller);

  // Blocks until it is done or `deadline` (of Clock::Monotonic) has passed. kGet: the value, or
  // nothing. Errors, with what WasExecuted says of them: DeadlineExceeded, FailedPrecondition (the
  // servers do not have the key; the connection cannot work as it is), Cancelled, what a server
  // says of token and method, Internal (an answer that is none).
  absl::StatusOr<std::optional<std::string>> Run(LegacyOp op, const std::string& key,
                                                 const std::string& value, absl::Duration deadline);
  int64_t client_id() const { return client_id_; }

 private:
  struct Attempt {
    LegacyRequest request;
    bool maybe = false;         // a copy was sent whose fate is unknown
    std::string trouble, hint;  // of the last answer that was none
    absl::Duration wait;
  };
  // The end of it, or nothing: try again after `wait`.
  std::optional<absl::StatusOr<std::optional<std::string>>> Judge(LegacyAnswer answer,
                                                                  Attempt& attempt);

  const LegacyOptions options_;
  base::Clock& clock_;
  LegacyCaller& caller_;
  Route route_;
  const int64_t client_id_;
  int64_t next_command_ = 0;
};

}  // namespace slipway::eraft::client
