// Reads without log entries (thesis, 6.4; E140): the commit index of now, once a quorum has
// confirmed that no other leads. One round of heartbeats serves all reads that came during the one
// before.
#include <algorithm>

#include "base/mutant.h"
#include "raft/core.h"

namespace slipway::raft {

void Raft::Core::BeginRound() {
  ++round_sent_;
  heartbeat_elapsed_ = 0;
  for (Progress& peer : peers_) {
    Message& message = Post(MessageKind::kHeartbeat, peer.id);
    message.commit =
        SLIPWAY_MUTANT("raft-commit-beyond-new") ? commit_ : std::min(peer.match, commit_);
    message.round = round_sent_;
    message.forced = options_.hibernate_ticks > 0 && quiet_ticks_ >= options_.hibernate_ticks;
    peer.commit_sent = std::max(peer.commit_sent, message.commit);
  }
  ConfirmRounds();
}

void Raft::Core::ConfirmRounds() {
  const uint64_t confirmed = QuorumValue(membership(), [this](NodeId voter) -> uint64_t {
    if (voter == options_.id) return round_sent_;
    const Progress* peer = Find(voter);
    return peer == nullptr ? 0 : peer->round;
  });
  if (confirmed <= round_confirmed_) return;
  round_confirmed_ = confirmed;
  if (asked_.empty() || round_confirmed_ < asked_round_) return;
  for (const Read& read : asked_) Answer(read, asked_index_, /*failed=*/false);
  asked_.clear();
}

// The first read of a term waits for the no-op: before that the leader does not know what its
// predecessors committed (thesis, 6.4, step 1).
bool Raft::Core::ReadsCanStart() const {
  return !waiting_.empty() && asked_.empty() && CommittedInTerm();
}

void Raft::Core::StartReads() {
  if (!ReadsCanStart()) return;
  waiting_.swap(asked_);
  asked_index_ = commit_;
  asked_round_ = round_sent_ + 1;
  if (SLIPWAY_MUTANT("raft-read-without-quorum")) {
    for (const Read& read : asked_) Answer(read, asked_index_, /*failed=*/false);
    asked_.clear();
  }
  BeginRound();
}

void Raft::Core::Answer(const Read& read, Index index, bool failed) {
  if (read.from == options_.id) {
    read_states_.push_back({read.context, index, failed});
    return;
  }
  Message& reply = Post(MessageKind::kReadIndexReply, read.from);
  reply.log_index = index;
  reply.reject = failed;
  reply.context = read.context;
}

void Raft::Core::ReadIndex(uint64_t context) {
  if (hibernating_) Wake();
  quiet_ticks_ = 0;
  if (role_ == Role::kLeader) {
    waiting_.push_back({options_.id, context});
  } else if (leader_ == kNoNode) {
    read_states_.push_back({context, 0, /*failed=*/true});
  } else {
    forwarded_.push_back({context, next_wire_, 0});
    Post(MessageKind::kReadIndex, leader_).context = next_wire_;
    ++next_wire_;
  }
}

void Raft::Core::HandleReadIndex(const Message& message) {
  quiet_ticks_ = 0;
  const Read read{message.from, message.context};
  if (role_ == Role::kLeader) {
    waiting_.push_back(read);
  } else {
    Answer(read, 0, /*failed=*/true);
  }
}

void Raft::Core::HandleReadIndexReply(const Message& message) {
  const auto asked =
      std::find_if(forwarded_.begin(), forwarded_.end(),
                   [&](const ForwardedRead& read) { return read.wire == message.context; });
  if (asked == forwarded_.end()) return;
  read_states_.push_back({asked->context, message.log_index, message.reject});
  forwarded_.erase(asked);
}

void Raft::Core::FailReads() {
  for (const Read& read : asked_) Answer(read, 0, /*failed=*/true);
  for (const Read& read : waiting_) Answer(read, 0, /*failed=*/true);
  asked_.clear();
  waiting_.clear();
}

void Raft::Core::FailForwarded() {
  for (const ForwardedRead& read : forwarded_) {
    read_states_.push_back({read.context, 0, /*failed=*/true});
  }
  forwarded_.clear();
}

// The question or its answer was lost.
void Raft::Core::AgeForwarded() {
  size_t old = 0;
  for (ForwardedRead& read : forwarded_) old += ++read.age_ticks >= options_.election_ticks ? 1 : 0;
  for (size_t i = 0; i < old; ++i) {  // oldest first
    read_states_.push_back({forwarded_[i].context, 0, /*failed=*/true});
  }
  forwarded_.erase(forwarded_.begin(), forwarded_.begin() + static_cast<ptrdiff_t>(old));
}

}  // namespace slipway::raft
