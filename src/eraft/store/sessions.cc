#include "eraft/store/sessions.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/store/limits.h"

namespace slipway::eraft {
namespace {

constexpr char kLegacy = 1;
constexpr char kStrict = 2;
constexpr size_t kSessionBytes = 17;               // kind, active, number
constexpr size_t kStoredBytes = 1 + kAnswerBytes;  // place in the row, answer
static_assert(kAnswersPerRow <= 256);

using Row = Transaction::Row;

uint64_t Now(Transaction& transaction) { return transaction.group().time_ms / kActivityQuantumMs; }

// The quantum counts as used to its end, so that nothing expires early.
bool Expired(Transaction& transaction, uint64_t active) {
  const GroupState& group = transaction.group();
  const uint64_t idle_from_ms = (active + 1) * kActivityQuantumMs;
  return group.time_ms >= idle_from_ms && group.time_ms - idle_from_ms >= group.session_ttl_ms;
}

// The row with the answer to `command`.
std::string RowOf(Transaction& transaction, const Command& command) {
  return AnswerKey(transaction.group_id(), command.shard, command.client,
                   command.command - command.command % kAnswersPerRow);
}

// The answer to `command` in its row; empty: there is none.
absl::StatusOr<absl::string_view> FindAnswer(absl::string_view row, CommandId command) {
  if (row.size() % kStoredBytes != 0) return absl::DataLossError("a row of answers is malformed");
  for (; !row.empty(); row.remove_prefix(kStoredBytes)) {
    if (static_cast<uint8_t>(row.front()) == command % kAnswersPerRow) {
      return row.substr(1, kAnswerBytes);
    }
  }
  return "";
}

// The keys of `range`, at most `count`.
absl::StatusOr<std::vector<std::string>> KeysIn(Transaction& transaction, const KeyRange& range,
                                                uint64_t count) {
  std::vector<std::string> keys;
  SLIPWAY_RETURN_IF_ERROR(transaction.Scan(range, [&](absl::string_view key, absl::string_view) {
    if (keys.size() < count) keys.emplace_back(key);
    return keys.size() < count;
  }));
  return keys;
}

}  // namespace

std::string EncodeSession(const Session& session) {
  std::string out(kSessionBytes, session.strict ? kStrict : kLegacy);
  auto* bytes = reinterpret_cast<uint8_t*>(out.data());
  base::StoreLittle(bytes + 1, session.active);
  base::StoreLittle(bytes + 9, session.number);
  if (!session.strict) out += EncodeAnswer(session.answer);
  return out;
}

absl::StatusOr<Session> DecodeSession(absl::string_view row) {
  const bool strict = !row.empty() && row.front() == kStrict;
  if (row.size() != kSessionBytes + (strict ? 0 : kAnswerBytes) ||
      (!strict && row.front() != kLegacy)) {
    return absl::DataLossError("the row of a session is malformed");
  }
  const uint8_t* bytes = base::AsBytes(row).data();
  Session out = {.strict = strict,
                 .active = base::LoadLittle<uint64_t>(bytes + 1),
                 .number = base::LoadLittle<uint64_t>(bytes + 9)};
  if (!strict) {
    SLIPWAY_ASSIGN_OR_RETURN(out.answer, DecodeAnswer(row.substr(kSessionBytes)));
  }
  return out;
}

absl::Status Sessions::Remove(Transaction& transaction, ShardId shard, ClientId client,
                              const std::string& row) {
  const GroupId group = transaction.group_id();
  SLIPWAY_ASSIGN_OR_RETURN(const Session session, DecodeSession(row));
  if (session.strict) {
    SLIPWAY_ASSIGN_OR_RETURN(
        const std::vector<std::string> answers,
        KeysIn(transaction, AnswerRange(group, shard, client), kWindowCommands + 1));
    for (const std::string& key : answers) {
      SLIPWAY_ASSIGN_OR_RETURN(const Row answer, transaction.Get(key));
      transaction.Replace(shard, key, answer, std::nullopt);
    }
  }
  transaction.Replace(shard, SessionKey(group, shard, client), row, std::nullopt);
  transaction.Set(ExpiryKey(group, session.active, shard, client), std::nullopt);
  --transaction.stats(shard).sessions;
  --transaction.group().sessions;
  return absl::OkStatus();
}

absl::Status Sessions::Evict(Transaction& transaction, uint64_t count, bool expired_only) {
  const GroupId group = transaction.group_id();
  SLIPWAY_ASSIGN_OR_RETURN(
      std::vector<std::string> keys,
      KeysIn(transaction, KindRange(group, KeyKind::kExpiry), count + (expired_only ? 1 : 0)));
  if (SLIPWAY_MUTANT("eraft-unordered-eviction")) {
    SLIPWAY_ASSIGN_OR_RETURN(keys,
                             KeysIn(transaction, KindRange(group, KeyKind::kExpiry), 1'000'000));
    const absl::flat_hash_set<std::string> unordered(keys.begin(), keys.end());
    keys.assign(unordered.begin(), unordered.end());
  }
  if (keys.empty()) oldest_ = Now(transaction);
  uint64_t removed = 0;
  for (const std::string& key : keys) {
    SLIPWAY_ASSIGN_OR_RETURN(const DecodedKey oldest, DecodeKey(key));
    oldest_ = oldest.time;
    if (removed == count || (expired_only && !Expired(transaction, oldest.time))) break;
    SLIPWAY_ASSIGN_OR_RETURN(const Row row,
                             transaction.Get(SessionKey(group, oldest.shard, oldest.client)));
    if (!row.has_value()) return absl::DataLossError("a session that would expire is not there");
    SLIPWAY_RETURN_IF_ERROR(Remove(transaction, oldest.shard, oldest.client, *row));
    ++removed;
  }
  evicted_ += removed;
  return absl::OkStatus();
}

absl::Status Sessions::EvictExpired(Transaction& transaction) {
  if (transaction.group().sessions == 0 || !Expired(transaction, oldest_)) return absl::OkStatus();
  return Evict(transaction, kEvictionsPerCommand, /*expired_only=*/true);
}

absl::StatusOr<Sessions::Loaded> Sessions::Load(Transaction& transaction, ShardId shard,
                                                ClientId client) {
  Loaded out;
  SLIPWAY_ASSIGN_OR_RETURN(out.row,
                           transaction.Get(SessionKey(transaction.group_id(), shard, client)));
  if (!out.row.has_value()) return out;
  SLIPWAY_ASSIGN_OR_RETURN(out.session, DecodeSession(*out.row));
  if (!Expired(transaction, out.session->active)) return out;
  // Its turn had not come among those that are removed at each command.
  SLIPWAY_RETURN_IF_ERROR(Remove(transaction, shard, client, *out.row));
  ++evicted_;
  return Loaded();
}

absl::Status Sessions::Create(Transaction& transaction, const Command& command,
                              const Session& session) {
  GroupState& group = transaction.group();
  if (group.sessions >= group.sessions_max) {
    const uint64_t excess = group.sessions - group.sessions_max + 1;
    SLIPWAY_RETURN_IF_ERROR(Evict(transaction, std::min<uint64_t>(excess, kEvictionsPerCommand),
                                  /*expired_only=*/false));
  }
  ++group.sessions;
  ++transaction.stats(command.shard).sessions;
  // Nothing is to be moved from another quantum.
  Store(transaction, command, std::nullopt, Now(transaction), session);
  transaction.Set(
      ExpiryKey(transaction.group_id(), Now(transaction), command.shard, command.client), "");
  return absl::OkStatus();
}

// The row `row` becomes `session`, used now.
void Sessions::Store(Transaction& transaction, const Command& command, const Row& row,
                     uint64_t active_before, Session session) {
  const GroupId group = transaction.group_id();
  session.active = Now(transaction);
  if (session.active != active_before) {
    transaction.Set(ExpiryKey(group, active_before, command.shard, command.client), std::nullopt);
    transaction.Set(ExpiryKey(group, session.active, command.shard, command.client), "");
  }
  std::string after = EncodeSession(session);
  if (row.has_value() && *row == after) return;
  transaction.Replace(command.shard, SessionKey(group, command.shard, command.client), row,
                      std::move(after));
}

absl::StatusOr<std::optional<Answer>> Sessions::AdmitLegacy(const Loaded& loaded,
                                                            const Command& command) {
  if (!loaded.session.has_value() || command.command > loaded.session->number) {
    return std::nullopt;
  }
  ++repeated_;
  if (command.command == loaded.session->number) return loaded.session->answer;
  return Answer{.code = AnswerCode::kStale};
}

absl::StatusOr<std::optional<Answer>> Sessions::AdmitStrict(Transaction& transaction, Loaded loaded,
                                                            const Command& command) {
  const GroupId group = transaction.group_id();
  Session session = *loaded.session;
  const uint64_t from = session.number;
  if (command.acknowledged > from) {
    // Only numbers of the window can have an answer. A row goes with the last of its numbers.
    for (CommandId id = from - from % kAnswersPerRow;
         (id < from || id - from < kWindowCommands) && command.acknowledged - id >= kAnswersPerRow;
         id += kAnswersPerRow) {
      const std::string key = AnswerKey(group, command.shard, command.client, id);
      SLIPWAY_ASSIGN_OR_RETURN(Row row, transaction.Get(key));
      if (row.has_value()) {
        transaction.Replace(command.shard, key, std::move(row), std::nullopt);
      }
    }
    session.number = command.acknowledged;
  }
  Store(transaction, command, loaded.row, loaded.session->active, session);
  if (command.command < session.number) {
    ++repeated_;
    return Answer{.code = AnswerCode::kStale};
  }
  if (command.command - session.number >= kWindowCommands) {
    return Answer{.code = AnswerCode::kWindowFull};
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Row row, transaction.Get(RowOf(transaction, command)));
  if (!row.has_value()) return std::nullopt;
  SLIPWAY_ASSIGN_OR_RETURN(const absl::string_view stored, FindAnswer(*row, command.command));
  if (stored.empty()) return std::nullopt;
  ++repeated_;
  SLIPWAY_ASSIGN_OR_RETURN(Answer answer, DecodeAnswer(stored));
  return answer;
}

absl::StatusOr<std::optional<Answer>> Sessions::Admit(Transaction& transaction,
                                                      const Command& command) {
  if (command.client == 0) return std::nullopt;
  SLIPWAY_ASSIGN_OR_RETURN(Loaded loaded, Load(transaction, command.shard, command.client));
  const bool other_kind = loaded.session.has_value() && loaded.session->strict != command.strict;
  if (!command.strict) {
    if (other_kind) return Answer{.code = AnswerCode::kInvalid};
    return AdmitLegacy(loaded, command);
  }
  if (!loaded.session.has_value() || other_kind) {
    return Answer{.code = AnswerCode::kUnknownSession};
  }
  return AdmitStrict(transaction, std::move(loaded), command);
}

absl::Status Sessions::Record(Transaction& transaction, const Command& command,
                              const Answer& answer) {
  if (command.client == 0) return absl::OkStatus();
  if (command.strict) {
    SLIPWAY_ASSIGN_OR_RETURN(
        Row* const row, transaction.Edit(command.shard, RowOf(transaction, command), kStoredBytes));
    if (!row->has_value()) row->emplace();
    (*row)->push_back(static_cast<char>(command.command % kAnswersPerRow));
    absl::StrAppend(&**row, EncodeAnswer(answer));
    return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Loaded loaded, Load(transaction, command.shard, command.client));
  const Session session = {.number = command.command, .answer = answer};
  if (!loaded.session.has_value()) return Create(transaction, command, session);
  Store(transaction, command, loaded.row, loaded.session->active, session);
  return absl::OkStatus();
}

absl::StatusOr<AnswerCode> Sessions::Register(Transaction& transaction, const Command& command) {
  SLIPWAY_ASSIGN_OR_RETURN(const Loaded loaded, Load(transaction, command.shard, command.client));
  if (!loaded.session.has_value()) {
    SLIPWAY_RETURN_IF_ERROR(Create(transaction, command, {.strict = true}));
    return AnswerCode::kOk;
  }
  if (!loaded.session->strict) return AnswerCode::kInvalid;
  Store(transaction, command, loaded.row, loaded.session->active, *loaded.session);
  return AnswerCode::kOk;
}

absl::StatusOr<AnswerCode> Sessions::Close(Transaction& transaction, const Command& command) {
  SLIPWAY_ASSIGN_OR_RETURN(const Loaded loaded, Load(transaction, command.shard, command.client));
  if (!loaded.session.has_value()) return AnswerCode::kUnknownSession;
  SLIPWAY_RETURN_IF_ERROR(Remove(transaction, command.shard, command.client, *loaded.row));
  return AnswerCode::kOk;
}

absl::Status ForgetSessionsOf(Transaction& transaction, ShardId shard) {
  const GroupId group = transaction.group_id();
  std::vector<std::string> expiry;
  absl::Status decoded;
  SLIPWAY_RETURN_IF_ERROR(transaction.Scan(
      ShardRange(group, KeyKind::kSession, shard),
      [&](absl::string_view key, absl::string_view value) {
        const auto parts = DecodeKey(key);
        if (!parts.ok() || parts->is_answer) {
          decoded = parts.status();
          return decoded.ok();
        }
        const auto session = DecodeSession(value);
        decoded = session.status();
        if (decoded.ok()) {
          expiry.push_back(ExpiryKey(group, session->active, parts->shard, parts->client));
        }
        return decoded.ok();
      }));
  SLIPWAY_RETURN_IF_ERROR(decoded);
  for (const std::string& key : expiry) transaction.Set(key, std::nullopt);
  transaction.group().sessions -= expiry.size();
  return absl::OkStatus();
}

}  // namespace slipway::eraft
