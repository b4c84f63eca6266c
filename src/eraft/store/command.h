// What the log carries for a key-value group, and what a client is told about it:
// docs/formats/eraft-keys.md, section "Commands". Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "eraft/store/keys.h"
#include "raft/types.h"

namespace slipway::eraft {

enum class CommandOp : uint8_t {
  kPut = 1,
  kAppend = 2,
  kDelete = 3,
  kCompareAndSet = 4,
  kRegisterSession = 5,   // makes a strict session
  kCloseSession = 6,      // of either kind
  kSetSessionLimits = 7,  // ttl_ms, sessions_max: of all replicas alike, so they come by the log
  kDeleteShard = 8,       // data and sessions
};

struct Command {
  CommandOp op = CommandOp::kPut;
  bool strict = false;         // in a strict session: without it, not executed (E143)
  bool expect_absent = false;  // kCompareAndSet: the key must not be there; `expected` is empty
  uint64_t time_ms = 0;        // the leader's wall clock when it proposed (E143)
  ShardId shard = 0;
  ClientId client = 0;
  CommandId command = 0;
  CommandId acknowledged = 0;  // strict: the client has the answers of all commands below this
  std::string key;
  std::string value;     // kSetSessionLimits: EncodeSessionLimits
  std::string expected;  // kCompareAndSet
  friend bool operator==(const Command&, const Command&) = default;
};

struct SessionLimits {
  uint64_t ttl_ms = 0;
  uint64_t sessions_max = 0;
};
std::string EncodeSessionLimits(const SessionLimits& limits);
absl::StatusOr<SessionLimits> DecodeSessionLimits(absl::string_view text);  // InvalidArgument

// InvalidArgument naming the limit: not to be proposed.
absl::Status CheckCommand(const Command& command);

// `command` passes CheckCommand.
base::Bytes EncodeCommand(const Command& command);
// InvalidArgument for anything that EncodeCommand did not write; never more memory than the bytes.
absl::StatusOr<Command> DecodeCommand(base::BytesView bytes);

// Numbers are stored in sessions.
enum class AnswerCode : uint8_t {
  kOk = 0,
  kNoKey = 1,           // kDelete, kCompareAndSet: the key is not there; nothing changed
  kMismatch = 2,        // kCompareAndSet: another value, or a key that should be absent
  kTooLarge = 3,        // kAppend: the value would exceed the limit; nothing changed
  kInvalid = 4,         // no command, or one that makes no sense: not executed (E71)
  kUnknownSession = 5,  // strict: never registered, closed or expired; not executed
  kStale = 6,           // executed earlier; the answer was acknowledged or replaced since
  kWindowFull = 7,      // strict: too far above `acknowledged`; not executed
};
absl::string_view AnswerCodeName(AnswerCode code);

struct Answer {
  AnswerCode code = AnswerCode::kOk;
  raft::Index index = 0;  // of the entry that was executed: of a repeated command, the first one's
  friend bool operator==(const Answer&, const Answer&) = default;
};

inline constexpr size_t kAnswerBytes = 9;
std::string EncodeAnswer(const Answer& answer);
absl::StatusOr<Answer> DecodeAnswer(absl::string_view text);  // DataLoss

}  // namespace slipway::eraft
