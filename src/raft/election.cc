// Who leads: timers, PreVote, votes, CheckQuorum, transfer, step-down (paper, 5.2 and 5.4.1;
// thesis, 3.10, 4.2.3, 6.2, 9.6).
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "raft/core.h"

namespace slipway::raft {

// Spread over [1, 2) election timeouts, so that rarely two campaign together (paper, 5.2). A node
// of priority p takes the shortest of p draws: it tends to be first, and nobody ever waits for it.
void Raft::Core::ResetElectionTimer() {
  const auto range = static_cast<uint64_t>(options_.election_ticks);
  uint64_t shortest = NextRandom() % range;
  for (int draw = 1; draw < options_.priority; ++draw) {
    shortest = std::min(shortest, NextRandom() % range);
  }
  election_elapsed_ = 0;
  election_timeout_ = options_.election_ticks + static_cast<int>(shortest);
}

void Raft::Core::SetTimers(const Options& options, int promised_ticks) {
  const int elapsed = election_elapsed_;
  options_.election_ticks = options.election_ticks;
  options_.heartbeat_ticks = options.heartbeat_ticks;
  options_.hibernate_ticks = options.hibernate_ticks;
  ResetElectionTimer();
  election_elapsed_ = elapsed;  // changed again and again it must not wait for ever
  if (promised_ticks > 0) {
    heard_elapsed_ = std::min(heard_elapsed_, options_.election_ticks - promised_ticks);
  }
  if (options_.hibernate_ticks == 0 && hibernating_) Wake();
}

void Raft::Core::Tick(bool log_stalled) {
  // Over when a write succeeds (E109), or when the one that stood still had nothing of this group.
  stalled_ = log_stalled || (stalled_ && !writes_.empty());
  if (hibernating_) return;
  if (heard_elapsed_ < options_.election_ticks) ++heard_elapsed_;
  AgeForwarded();
  if (role_ == Role::kLeader) {
    TickLeader();
  } else {
    TickFollower();
  }
}

void Raft::Core::TickFollower() {
  if (stalled_ && role_ != Role::kFollower) {
    BecomeFollower(term_, kNoNode, StepDownReason::kStalledLog);
  }
  // Longer than the timeout it hears a leader only by a promise from before the timers changed.
  if (++election_elapsed_ < election_timeout_ || HearsLeader()) return;
  if (Electable()) {
    StartPreVote();
    return;
  }
  leader_ = kNoNode;
  FailForwarded();
  ResetElectionTimer();
}

void Raft::Core::TickLeader() {
  // A leader whose disk stands still would go on heart-beating and never commit (E109).
  if (stalled_) {
    BecomeFollower(term_, kNoNode, StepDownReason::kStalledLog);
    return;
  }
  if (options_.commit_waits) {
    for (const Progress& peer : peers_) tell_commit_ |= peer.commit_sent < commit_;
    flush_appends_ |= tell_commit_;
  }
  if (transfer_to_ != kNoNode && ++transfer_elapsed_ >= options_.election_ticks) {
    transfer_to_ = kNoNode;  // thesis, 3.10: it did not come about; serve on
  }
  if (++election_elapsed_ >= options_.election_ticks) {
    election_elapsed_ = 0;
    CheckQuorum();
    if (role_ != Role::kLeader) return;
  }
  TickHibernation();
  if (hibernating_) return;
  if (++heartbeat_elapsed_ >= options_.heartbeat_ticks) BeginRound();
}

// Thesis, 6.2: a leader that no quorum answered for an election timeout steps down, for another may
// have been elected without it.
void Raft::Core::CheckQuorum() {
  const uint64_t active = QuorumValue(membership(), [this](NodeId voter) -> uint64_t {
    const Progress* peer = Find(voter);
    return voter == options_.id || (peer != nullptr && peer->active) ? 1 : 0;
  });
  for (Progress& peer : peers_) peer.active = false;
  if (active == 0) BecomeFollower(term_, kNoNode, StepDownReason::kQuorumLost);
}

// A voter of the latest configuration; or of the one before while the latest is not known to be
// committed: that one may need this server's longer log and vote to go on at all (thesis, 4.2.2).
bool Raft::Core::Electable() const {
  if (options_.priority == 0 || stalled_ || installing_.has_value()) return false;
  const ConfigHistory::Config& latest = configs_.latest();
  if (IsVoter(latest.membership, options_.id)) return true;
  return latest.index > commit_ && IsVoter(configs_.At(latest.index - 1).membership, options_.id);
}

bool Raft::Core::HearsLeader() const {
  return role_ == Role::kLeader || heard_elapsed_ < options_.election_ticks;
}

// Paper, 5.4.1.
bool Raft::Core::UpToDate(const Message& message) const {
  if (message.log_term != log_.last_term()) return message.log_term > log_.last_term();
  return message.log_index >= log_.last();
}

void Raft::Core::BecomeFollower(Term term, NodeId leader, StepDownReason reason) {
  if (role_ == Role::kLeader) {
    stepped_down_ = transfer_to_ != kNoNode ? StepDownReason::kTransfer : reason;
    FailReads();
    peers_.clear();
    transfer_to_ = kNoNode;
    uncommitted_bytes_ = 0;
    flush_appends_ = false;
    heard_elapsed_ = options_.election_ticks;
  } else if (role_ == Role::kCandidate && reason != StepDownReason::kNone) {
    stepped_down_ = reason;
  }
  if (term != term_) {
    term_ = term;
    vote_ = kNoNode;
  }
  if (leader_ != leader) FailForwarded();
  leader_ = leader;
  role_ = Role::kFollower;
  hibernating_ = false;
  ballots_.clear();
  ResetElectionTimer();
}

// Thesis, 9.6: asks whether an election could be won, without starting one, so that a server that
// was cut off does not come back with a higher term and depose the leader (E102).
void Raft::Core::StartPreVote() {
  role_ = Role::kPreCandidate;
  leader_ = kNoNode;
  FailForwarded();
  ballots_.clear();
  ResetElectionTimer();
  AskForVotes(MessageKind::kPreVote, term_ + 1, /*forced=*/false);
  TakeBallot(options_.id, true);
}

void Raft::Core::StartElection(bool forced) {
  role_ = Role::kCandidate;
  leader_ = kNoNode;
  FailForwarded();
  ++term_;
  vote_ = options_.id;
  ballots_.clear();
  ResetElectionTimer();
  AskForVotes(MessageKind::kVote, term_, forced);
}

void Raft::Core::AskForVotes(MessageKind kind, Term term, bool forced) {
  for (const NodeId voter : MembersOf(membership())) {
    if (voter == options_.id || !IsVoter(membership(), voter)) continue;
    // A vote is asked for when the candidate's own is durable. Else it could crash, come back with
    // a shorter log, ask again in the same term, and win by answers to what it had asked before.
    Message& message =
        kind == MessageKind::kVote ? PostAfterPersist(kind, voter) : Post(kind, voter);
    message.term = term;
    message.log_index = log_.last();
    message.log_term = log_.last_term();
    message.forced = forced;
  }
}

void Raft::Core::CountOwnVote() {
  if (role_ == Role::kCandidate && HardStateDurable()) TakeBallot(options_.id, true);
}

void Raft::Core::TakeBallot(NodeId voter, bool granted) {
  const bool known = std::any_of(ballots_.begin(), ballots_.end(),
                                 [&](const Ballot& ballot) { return ballot.voter == voter; });
  if (known) return;
  ballots_.push_back({voter, granted});
  switch (CountVotes(membership(), ballots_)) {
    case VoteResult::kPending:
      return;
    case VoteResult::kLost:
      BecomeFollower(term_, kNoNode, StepDownReason::kNone);
      return;
    case VoteResult::kWon:
      if (role_ == Role::kPreCandidate) {
        StartElection(/*forced=*/false);
      } else {
        BecomeLeader();
      }
      return;
  }
}

void Raft::Core::HandleVote(const Message& message) {
  const bool before = message.kind == MessageKind::kPreVote;
  bool granted = UpToDate(message) && (message.forced || !HearsLeader());
  if (before) {
    granted &= message.term > term_;
    Message& reply = Post(MessageKind::kPreVoteReply, message.from);
    reply.reject = !granted;
    if (granted) reply.term = message.term;
    return;
  }
  granted &= vote_ == message.from || (vote_ == kNoNode && leader_ == kNoNode);
  if (granted) {
    vote_ = message.from;
    election_elapsed_ = 0;
  }
  Message& reply = SLIPWAY_MUTANT("raft-vote-before-sync")
                       ? Fill(messages_.emplace_back(), MessageKind::kVoteReply, options_.id,
                              message.from, term_)
                       : PostAfterPersist(MessageKind::kVoteReply, message.from);
  reply.reject = !granted;
}

void Raft::Core::HandleVoteReply(const Message& message) {
  if (message.kind == MessageKind::kPreVoteReply) {
    if (role_ != Role::kPreCandidate) return;
    if (!message.reject && message.term != term_ + 1) return;
  } else if (role_ != Role::kCandidate) {
    return;
  }
  TakeBallot(message.from, !message.reject);
}

void Raft::Core::BecomeLeader() {
  role_ = Role::kLeader;
  leader_ = options_.id;
  stepped_down_ = StepDownReason::kNone;
  election_elapsed_ = 0;
  heartbeat_elapsed_ = 0;
  quiet_ticks_ = 0;
  round_confirmed_ = 0;
  transfer_begun_ = false;
  uncommitted_bytes_ = 0;
  for (Index index = commit_ + 1; index <= log_.last(); ++index) {
    uncommitted_bytes_ += log_.At(index).payload.size();
  }
  peers_.clear();
  RebuildPeers();
  // Only an entry of its own term tells a leader what is committed (E58; paper, 5.4.2 and 8).
  term_start_ = log_.last() + 1;
  AppendOwn(EntryKind::kNoop, Slice());
}

absl::Status Raft::Core::Campaign() {
  if (role_ == Role::kLeader) return absl::OkStatus();
  if (!Electable()) {
    return absl::FailedPreconditionError(absl::StrCat("campaign: node ", options_.id,
                                                      stalled_ ? " waits for its disk"
                                                      : installing_
                                                          ? " installs a snapshot"
                                                          : " is no voter, or has priority 0"));
  }
  if (hibernating_) Wake();
  StartPreVote();
  return absl::OkStatus();
}

absl::Status Raft::Core::TransferLeader(NodeId peer) {
  if (role_ != Role::kLeader) return absl::UnavailableError("transfer: not the leader");
  if (!IsVoter(membership(), peer)) {
    return absl::InvalidArgumentError(absl::StrCat("transfer to node ", peer, ": no voter"));
  }
  if (hibernating_) Wake();
  // Asked for again while it is under way, it takes no longer: proposals wait for it (E107).
  if (transfer_to_ == kNoNode) transfer_elapsed_ = 0;
  transfer_to_ = peer == options_.id ? kNoNode : peer;
  transfer_begun_ |= transfer_to_ != kNoNode;
  flush_appends_ = true;
  FinishTransfer();
  return absl::OkStatus();
}

// Thesis, 3.10: once the target holds all of the log, it need not wait for its timer.
void Raft::Core::FinishTransfer() {
  const Progress* target = Find(transfer_to_);
  if (target != nullptr && target->match == log_.last()) SendTimeoutNow(transfer_to_);
}

void Raft::Core::SendTimeoutNow(NodeId peer) { Post(MessageKind::kTimeoutNow, peer); }

void Raft::Core::HandleTimeoutNow(const Message& message) {
  if (role_ == Role::kLeader || message.from != leader_ || !Electable()) return;
  StartElection(/*forced=*/true);
}

}  // namespace slipway::raft
