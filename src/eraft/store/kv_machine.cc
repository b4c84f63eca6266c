#include "eraft/store/kv_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/failpoint.h"
#include "base/mutant.h"
#include "eraft/store/limits.h"
#include "eraft/store/transaction.h"
#include "eraft/store/values.h"

namespace slipway::eraft {

KvMachine::KvMachine(Engine& engine, GroupId group, MetaRows rows)
    : engine_(engine),
      group_id_(group),
      group_(rows.group),
      shards_(rows.shards),
      new_membership_(rows.membership) {
  base::MutexLock lock(mutex_);
  status_.applied = group_.index;
  status_.applied_term = group_.term;
  status_.time_ms = group_.time_ms;
  status_.sessions = group_.sessions;
  status_.shards = shards_.size();
  for (const auto& [shard, stats] : shards_) {
    status_.keys += stats.keys;
    status_.bytes += stats.bytes;
  }
  published_ = std::move(rows.shards);
  membership_ = std::move(rows.membership);
}

base::Owned<KvMachine> KvMachine::Open(Engine& engine, GroupId group, std::string membership) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<View> view, engine.NewView());
  SLIPWAY_ASSIGN_OR_RETURN(MetaRows rows, ReadMetaRows(*view, group));
  if (rows.group.index == 0 && rows.membership.empty() && !membership.empty()) {
    Batch first;
    first.Put(MetaKey(group, kAppliedName), EncodeGroupState(rows.group));
    first.Put(MetaKey(group, kMembershipName), membership);
    SLIPWAY_RETURN_IF_ERROR(engine.Write(first));
    rows.membership = std::move(membership);
  }
  return std::unique_ptr<KvMachine>(new KvMachine(engine, group, std::move(rows)));
}

absl::StatusOr<AnswerCode> KvMachine::CompareAndSet(Transaction& transaction,
                                                    const Command& command) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto value, ReadValue(transaction, command.shard, command.key));
  if (command.expect_absent) {
    if (value.has_value()) return AnswerCode::kMismatch;
  } else {
    if (!value.has_value()) return AnswerCode::kNoKey;
    if (*value != command.expected) return AnswerCode::kMismatch;
  }
  SLIPWAY_RETURN_IF_ERROR(PutValue(transaction, command.shard, command.key, command.value));
  return AnswerCode::kOk;
}

absl::Status KvMachine::DeleteShard(Transaction& transaction, ShardId shard) {
  SLIPWAY_RETURN_IF_ERROR(ForgetSessionsOf(transaction, shard));
  for (const KeyKind kind : {KeyKind::kShardData, KeyKind::kChunk, KeyKind::kSession}) {
    transaction.DeleteRange(ShardRange(group_id_, kind, shard));
  }
  transaction.stats(shard);  // its row changes: it goes
  shards_.erase(shard);
  return absl::OkStatus();
}

absl::StatusOr<AnswerCode> KvMachine::Execute(Transaction& transaction, const Command& command) {
  switch (command.op) {
    case CommandOp::kPut:
      SLIPWAY_RETURN_IF_ERROR(PutValue(transaction, command.shard, command.key, command.value));
      return AnswerCode::kOk;
    case CommandOp::kAppend: {
      SLIPWAY_ASSIGN_OR_RETURN(const bool fits,
                               AppendValue(transaction, command.shard, command.key, command.value));
      return fits ? AnswerCode::kOk : AnswerCode::kTooLarge;
    }
    case CommandOp::kDelete: {
      SLIPWAY_ASSIGN_OR_RETURN(const bool there,
                               DeleteValue(transaction, command.shard, command.key));
      return there ? AnswerCode::kOk : AnswerCode::kNoKey;
    }
    case CommandOp::kCompareAndSet:
      return CompareAndSet(transaction, command);
    case CommandOp::kSetSessionLimits: {
      SLIPWAY_ASSIGN_OR_RETURN(const SessionLimits limits, DecodeSessionLimits(command.value));
      transaction.group().session_ttl_ms = limits.ttl_ms;
      transaction.group().sessions_max = limits.sessions_max;
      return AnswerCode::kOk;
    }
    case CommandOp::kDeleteShard:
      SLIPWAY_RETURN_IF_ERROR(DeleteShard(transaction, command.shard));
      return AnswerCode::kOk;
    case CommandOp::kRegisterSession:
    case CommandOp::kCloseSession:
      break;  // not within a session
  }
  return AnswerCode::kInvalid;
}

absl::StatusOr<Answer> KvMachine::ApplyCommand(Transaction& transaction, const raft::Entry& entry) {
  const auto command = DecodeCommand(entry.payload.view());
  if (!command.ok()) {
    ++invalid_;
    return Answer{.code = AnswerCode::kInvalid, .index = entry.index};
  }
  GroupState& group = transaction.group();
  group.time_ms = std::max(group.time_ms, command->time_ms);
  SLIPWAY_RETURN_IF_ERROR(sessions_.EvictExpired(transaction));
  if (command->op == CommandOp::kRegisterSession || command->op == CommandOp::kCloseSession) {
    const bool registers = command->op == CommandOp::kRegisterSession;
    SLIPWAY_ASSIGN_OR_RETURN(const AnswerCode code, registers
                                                        ? sessions_.Register(transaction, *command)
                                                        : sessions_.Close(transaction, *command));
    return Answer{.code = code, .index = entry.index};
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<Answer> known,
                           sessions_.Admit(transaction, *command));
  if (known.has_value()) return *known;
  Answer answer = {.index = entry.index};
  SLIPWAY_ASSIGN_OR_RETURN(answer.code, Execute(transaction, *command));
  SLIPWAY_RETURN_IF_ERROR(sessions_.Record(transaction, *command, answer));
  return answer;
}

absl::Status KvMachine::ApplyEntry(Transaction& transaction, const raft::Entry& entry,
                                   std::vector<Outcome>& outcomes) {
  if (entry.index != group_.index + 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("apply entry ", entry.index, ": the entry ", group_.index + 1, " is missing"));
  }
  if (base::Crc32c(entry.payload.view()) != entry.payload_crc) {
    return absl::DataLossError(absl::StrCat("apply entry ", entry.index, " of term ", entry.term,
                                            ": its bytes are not those that were proposed"));
  }
  if (entry.kind == raft::EntryKind::kMembership) {
    new_membership_ = std::string(base::AsText(entry.payload.view()));
    transaction.Set(MetaKey(group_id_, kMembershipName), new_membership_);
  } else if (entry.kind == raft::EntryKind::kCommand) {
    SLIPWAY_ASSIGN_OR_RETURN(const Answer answer, ApplyCommand(transaction, entry));
    outcomes.push_back({entry.index, answer});
  }
  group_.index = entry.index;
  group_.term = entry.term;
  return absl::OkStatus();
}

absl::Status KvMachine::Commit(Transaction& transaction) {
  Unwritten unwritten;
  unwritten.touched = transaction.touched();
  unwritten.batch = std::move(transaction).ToBatch();
  unwritten_ = std::move(unwritten);
  return WriteUnwritten();
}

absl::Status KvMachine::WriteUnwritten() {
  if (!unwritten_.has_value()) return absl::OkStatus();
  SLIPWAY_FAILPOINT("eraft.apply.before");
  SLIPWAY_RETURN_IF_ERROR(engine_.Write(unwritten_->batch));
  if (SLIPWAY_MUTANT("eraft-applied-apart")) {
    Batch apart;
    apart.Put(MetaKey(group_id_, kAppliedName), EncodeGroupState(group_));
    SLIPWAY_RETURN_IF_ERROR(engine_.Write(apart));
  }
  Publish(unwritten_->touched);
  unwritten_.reset();
  return absl::OkStatus();
}

void KvMachine::Publish(const std::map<ShardId, bool>& touched) {
  base::MutexLock lock(mutex_);
  for (const auto& [shard, unused] : touched) {
    const auto now = shards_.find(shard);
    const auto before = published_.find(shard);
    if (before != published_.end()) {
      status_.keys -= before->second.keys;
      status_.bytes -= before->second.bytes;
      if (now == shards_.end()) published_.erase(before);
    }
    if (now == shards_.end()) continue;
    status_.keys += now->second.keys;
    status_.bytes += now->second.bytes;
    published_[shard] = now->second;
  }
  status_.shards = published_.size();
  status_.applied = group_.index;
  status_.applied_term = group_.term;
  status_.time_ms = group_.time_ms;
  status_.sessions = group_.sessions;
  status_.sessions_evicted = sessions_.evicted();
  status_.commands_repeated = sessions_.repeated();
  status_.commands_invalid = invalid_;
  if (membership_ != new_membership_) membership_ = new_membership_;
}

absl::StatusOr<std::vector<Outcome>> KvMachine::ApplyNew(absl::Span<const raft::Entry> entries) {
  SLIPWAY_RETURN_IF_ERROR(WriteUnwritten());
  size_t at = 0;
  while (at < entries.size()) {
    Transaction transaction(engine_, group_id_, group_, shards_);
    while (at < entries.size() && transaction.bytes() < kBatchBytesMax) {
      SLIPWAY_RETURN_IF_ERROR(ApplyEntry(transaction, entries[at], outcomes_));
      ++at;
    }
    SLIPWAY_RETURN_IF_ERROR(Commit(transaction));
  }
  return std::exchange(outcomes_, {});
}

absl::StatusOr<std::vector<Outcome>> KvMachine::Apply(absl::Span<const raft::Entry> entries) {
  SLIPWAY_RETURN_IF_ERROR(broken_);
  while (!entries.empty() && entries.front().index <= group_.index) entries.remove_prefix(1);
  auto outcomes = ApplyNew(entries);
  // Only Commit says that there is no room, and it is made up for.
  if (!outcomes.ok() && !absl::IsResourceExhausted(outcomes.status())) {
    broken_ = base::Annotate(outcomes.status(), "the state machine has stopped");
  }
  return outcomes;
}

absl::StatusOr<std::optional<std::string>> KvMachine::Get(ShardId shard, absl::string_view key) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto row, engine_.Get(DataKey(group_id_, shard, key)));
  if (!row.has_value()) return std::nullopt;
  SLIPWAY_ASSIGN_OR_RETURN(const ValueHead head, DecodeValueHead(*row));
  if (!head.chunked) return std::string(head.tail);
  // The row and its chunks of one moment.
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<View> view, engine_.NewView());
  return ReadValue(*view, group_id_, shard, key);
}

absl::StatusOr<ScanResult> KvMachine::Scan(ShardId shard, absl::string_view begin,
                                           absl::string_view end, uint64_t keys_max,
                                           uint64_t bytes_max) {
  ScanResult result;
  KeyRange range = ShardRange(group_id_, KeyKind::kShardData, shard);
  const size_t prefix_bytes = DataKey(group_id_, shard, "").size();
  if (!begin.empty()) range.begin = DataKey(group_id_, shard, begin);
  if (!end.empty()) range.end = DataKey(group_id_, shard, end);
  if (range.begin >= range.end) return result;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<View> view, engine_.NewView());
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> rows, view->Scan(range));
  uint64_t bytes = 0;
  for (; rows->valid(); rows->Next()) {
    if (result.rows.size() >= keys_max || (!result.rows.empty() && bytes >= bytes_max)) {
      result.more = true;
      break;
    }
    std::string key(rows->key().substr(prefix_bytes));
    SLIPWAY_ASSIGN_OR_RETURN(auto value, ReadValue(*view, group_id_, shard, key));
    if (!value.has_value()) return absl::DataLossError("a row of data went away within one view");
    bytes += key.size() + value->size();
    result.rows.emplace_back(std::move(key), *std::move(value));
  }
  SLIPWAY_RETURN_IF_ERROR(rows->status());
  return result;
}

KvStatus KvMachine::GetStatus() const {
  base::MutexLock lock(mutex_);
  return status_;
}

ShardStats KvMachine::GetShard(ShardId shard) const {
  base::MutexLock lock(mutex_);
  const auto stats = published_.find(shard);
  return stats == published_.end() ? ShardStats() : stats->second;
}

std::vector<ShardId> KvMachine::Shards() const {
  base::MutexLock lock(mutex_);
  std::vector<ShardId> shards;
  for (const auto& [shard, stats] : published_) shards.push_back(shard);
  return shards;
}

std::string KvMachine::membership() const {
  base::MutexLock lock(mutex_);
  return membership_;
}

}  // namespace slipway::eraft
