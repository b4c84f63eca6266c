// How a follower takes what its leader sends (paper, 5.3; figures 2 and 13).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "raft/core.h"

namespace slipway::raft {

// Somebody leads this term. False: this node itself does, so the message lies.
bool Raft::Core::HearLeader(NodeId leader) {
  if (role_ == Role::kLeader) return false;
  if (role_ != Role::kFollower) BecomeFollower(term_, leader, StepDownReason::kNone);
  leader_ = leader;
  heard_elapsed_ = std::min(heard_elapsed_, 0);
  election_elapsed_ = 0;
  return true;
}

absl::Status Raft::Core::TwoLeaders(const Message& message) const {
  return absl::InvalidArgumentError(absl::StrCat(
      "message from node ", message.from, ": it leads term ", term_, ", and so does this node"));
}

absl::Status Raft::Core::HandleAppend(Message& message) {
  if (!HearLeader(message.from)) return TwoLeaders(message);
  const Index last_new = message.log_index + message.entries.size();
  if (last_new <= commit_ || message.log_index < log_.compacted()) {
    AcknowledgeAppend(message, commit_);  // late, or sent twice
    return absl::OkStatus();
  }
  if (!log_.Holds(message.log_index, message.log_term)) {
    RefuseAppend(message);
    return absl::OkStatus();
  }
  SLIPWAY_RETURN_IF_ERROR(TakeEntries(message));
  // Only up to what this message showed to be equal (figure 2, AppendEntries 5): what follows in
  // the own log may be of another leader.
  const bool beyond = SLIPWAY_MUTANT("raft-commit-beyond-new");
  CommitTo(std::min(message.commit, beyond ? log_.last() : last_new));
  AcknowledgeAppend(message, last_new);
  return absl::OkStatus();
}

absl::Status Raft::Core::TakeEntries(Message& message) {
  for (Entry& entry : message.entries) {
    if (log_.Holds(entry.index, entry.term)) continue;  // figure 2: never truncate what agrees
    if (entry.index <= log_.last()) {
      if (SLIPWAY_MUTANT("raft-no-truncate")) continue;
      TruncateFrom(entry.index);
    }
    if (entry.kind == EntryKind::kMembership) SLIPWAY_RETURN_IF_ERROR(TakeConfig(entry));
    log_.Append(std::move(entry));
  }
  KeepBuffer(std::move(message.entries));
  return absl::OkStatus();
}

// Leaves only when the entries are durable here (E101).
void Raft::Core::AcknowledgeAppend(const Message& message, Index held) {
  Message& reply = SLIPWAY_MUTANT("raft-ack-before-sync")
                       ? Post(MessageKind::kAppendReply, message.from)
                       : PostAfterPersist(MessageKind::kAppendReply, message.from);
  reply.log_index = held;
  reply.round = message.round;
}

// E59; paper, end of 5.3: names the term that stands at the place instead and its first entry, so
// that the leader skips all of it. What is committed here is not in question.
void Raft::Core::RefuseAppend(const Message& message) {
  Message& reply = Post(MessageKind::kAppendReply, message.from);
  reply.reject = true;
  reply.round = message.round;
  reply.context = message.log_index;
  if (const std::optional<Term> own = log_.TermAt(message.log_index); own.has_value()) {
    reply.conflict_term = own;
    reply.log_index = std::max(log_.FirstOfTermAt(message.log_index), commit_ + 1);
  } else {
    reply.log_index = log_.last() + 1;
  }
}

absl::Status Raft::Core::HandleHeartbeat(const Message& message) {
  if (!HearLeader(message.from)) return TwoLeaders(message);
  CommitTo(std::min(message.commit, log_.last()));
  const bool sleep = message.forced && MaySleep(message);
  Message& reply = Post(MessageKind::kHeartbeatReply, message.from);
  reply.round = message.round;
  reply.forced = sleep;
  hibernating_ = sleep;
  return absl::OkStatus();
}

absl::Status Raft::Core::HandleSnapshot(const Message& message) {
  if (!HearLeader(message.from)) return TwoLeaders(message);
  const SnapshotMark& mark = message.snapshot;
  if (installing_.has_value()) return absl::OkStatus();  // one at a time; the leader asks again
  if (mark.index <= commit_) {
    AnswerSnapshot(commit_, /*reject=*/false);
  } else if (log_.Holds(mark.index, mark.term)) {  // figure 13, step 6
    CommitTo(mark.index);
    AnswerSnapshot(mark.index, /*reject=*/false);
  } else {
    installing_ = mark;
    install_ = mark;
  }
  return absl::OkStatus();
}

void Raft::Core::AnswerSnapshot(Index held, bool reject) {
  if (leader_ == kNoNode || role_ == Role::kLeader) return;
  Message& reply = PostAfterPersist(MessageKind::kSnapshotReply, leader_);
  reply.log_index = held;
  reply.reject = reject;
}

void Raft::Core::OnInstalled(const SnapshotMark& mark, bool ok) {
  if (!installing_.has_value() || !(*installing_ == mark)) return;
  installing_.reset();
  if (!ok) {
    AnswerSnapshot(commit_, /*reject=*/true);
    return;
  }
  if (log_.Holds(mark.index, mark.term)) {  // the log brought it meanwhile
    CommitTo(mark.index);
  } else {  // figure 13, step 7: the whole log goes
    log_.Reset(mark.index, mark.term);
    configs_ = ConfigHistory({mark.index, mark.membership});
    commit_ = mark.index;
    handed_ = persisted_ = mark.index;
    for (Write& write : writes_) write.valid = 0;
  }
  persisted_ = std::max(persisted_, mark.index);
  handed_ = std::max(handed_, mark.index);
  delivered_ = std::max(delivered_, mark.index);
  applied_ = std::max(applied_, mark.index);
  log_.MarkApplied(applied_, options_.memory_bytes_max);
  AnswerSnapshot(mark.index, /*reject=*/false);
}

}  // namespace slipway::raft
