// At most once (E57, E143): which commands of which clients were executed, and what they were
// answered. Every decision follows from rows and replicated time alone, so all replicas decide
// alike. Sessions belong to a shard and lie among its rows (E77).
//
// Legacy sessions begin by themselves; a client has one command under way, and only its last answer
// is kept. Strict sessions are registered; up to kWindowCommands answers are kept until the client
// acknowledges them, and without a session nothing is executed.
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "eraft/store/command.h"
#include "eraft/store/transaction.h"

namespace slipway::eraft {

// The row at SessionKey.
struct Session {
  bool strict = false;
  uint64_t active = 0;  // the quantum of replicated time of the last command
  uint64_t number = 0;  // legacy: the last command; strict: all commands below are acknowledged
  Answer answer;        // legacy: of that command
  friend bool operator==(const Session&, const Session&) = default;
};
std::string EncodeSession(const Session& session);
absl::StatusOr<Session> DecodeSession(absl::string_view row);  // DataLoss

class Sessions {
 public:
  // Removes sessions that have expired by now, a bounded number; before each command.
  absl::Status EvictExpired(Transaction& transaction);

  // Whether `command` is to be executed: nothing means yes, and Record then keeps its answer.
  absl::StatusOr<std::optional<Answer>> Admit(Transaction& transaction, const Command& command);
  absl::Status Record(Transaction& transaction, const Command& command, const Answer& answer);

  // Makes a strict session, or finds it: then the answer is kOk too. kInvalid: a legacy one is
  // there.
  absl::StatusOr<AnswerCode> Register(Transaction& transaction, const Command& command);
  // kUnknownSession: there is none.
  absl::StatusOr<AnswerCode> Close(Transaction& transaction, const Command& command);

  // Since this object was made; for metrics.
  uint64_t evicted() const { return evicted_; }
  uint64_t repeated() const { return repeated_; }  // commands that were answered from a session

 private:
  struct Loaded {
    Transaction::Row row;
    std::optional<Session> session;  // nothing: none, or expired and removed
  };
  absl::StatusOr<Loaded> Load(Transaction& transaction, ShardId shard, ClientId client);
  absl::StatusOr<std::optional<Answer>> AdmitLegacy(const Loaded& loaded, const Command& command);
  absl::StatusOr<std::optional<Answer>> AdmitStrict(Transaction& transaction, Loaded loaded,
                                                    const Command& command);
  absl::Status Create(Transaction& transaction, const Command& command, const Session& session);
  static void Store(Transaction& transaction, const Command& command, const Transaction::Row& row,
                    uint64_t active_before, Session session);
  absl::Status Remove(Transaction& transaction, ShardId shard, ClientId client,
                      const std::string& row);
  // The first `count` sessions by last use; with `expired_only`, of those that have expired.
  absl::Status Evict(Transaction& transaction, uint64_t count, bool expired_only);

  uint64_t oldest_ = 0;  // no session was used last before this quantum; spares looking
  uint64_t evicted_ = 0;
  uint64_t repeated_ = 0;
};

// Removes the expiry rows of the sessions of a shard and uncounts them; the sessions themselves are
// the caller's.
absl::Status ForgetSessionsOf(Transaction& transaction, ShardId shard);

}  // namespace slipway::eraft
