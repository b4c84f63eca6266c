// How a leader makes the logs of its peers equal to its own, and learns what is committed
// (paper, 5.3 and 5.4.2; E103, E104).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutant.h"
#include "raft/core.h"

namespace slipway::raft {

Progress* Raft::Core::Find(NodeId peer) {
  for (Progress& each : peers_) {
    if (each.id == peer) return &each;
  }
  return nullptr;
}

const Progress* Raft::Core::Find(NodeId peer) const {
  for (const Progress& each : peers_) {
    if (each.id == peer) return &each;
  }
  return nullptr;
}

// Appends are made when the driver takes a Ready: what was proposed since goes in one message.
void Raft::Core::FlushAppends() {
  flush_appends_ = false;
  for (Progress& peer : peers_) {
    while (SendAppend(peer)) {
    }
  }
  tell_commit_ = false;
}

// Sends the next message that `peer` may get; whether another may follow it.
bool Raft::Core::SendAppend(Progress& peer) {
  if (peer.Paused(options_)) return false;
  if (peer.next <= log_.compacted()) {
    peer.BecomeSnapshot();
    return false;
  }
  const bool news = peer.next <= log_.last();
  const bool replicates = peer.state == PeerProgress::State::kReplicate;
  // That more is committed is told by itself only to who waits for nothing else.
  const bool told = peer.commit_sent >= commit_ || peer.inflights.count() > 0 ||
                    (options_.commit_waits && !tell_commit_);
  if (!news && replicates && told) return false;
  if (!news) {
    PostAppend(peer, {}, 0);
    return false;
  }
  if (peer.next < log_.first_in_memory()) {
    peer.reading = peer.next;
    reads_.push_back({peer.id, peer.next, log_.first_in_memory() - 1, options_.append_bytes_max});
    return false;
  }
  std::vector<Entry> entries = TakeBuffer();
  const uint64_t bytes = log_.Copy(peer.next, log_.last(), options_.append_bytes_max, entries);
  PostAppend(peer, std::move(entries), bytes);
  return replicates;
}

void Raft::Core::PostAppend(Progress& peer, std::vector<Entry> entries, uint64_t bytes) {
  const Index before = peer.next - 1;
  const Index last = before + entries.size();
  Message& message = Post(MessageKind::kAppend, peer.id);
  message.log_index = before;
  message.log_term = log_.TermAt(before).value_or(0);
  message.commit = commit_;
  message.round = round_sent_;
  message.entries = std::move(entries);
  peer.commit_sent = std::max(peer.commit_sent, std::min(commit_, last));
  if (peer.state == PeerProgress::State::kProbe) {
    peer.probe_sent = true;
  } else if (last > before) {
    if (peer.inflights.count() == 0) peer.waits_since = round_sent_;
    peer.next = last + 1;
    peer.inflights.Add(last, bytes);
  }
}

// An empty append behind everything under way: who did not get it all refuses it, and replication
// resumes without waiting for an election or for more to send (E103).
void Raft::Core::PostProbeOfWindow(const Progress& peer) {
  Message& message = Post(MessageKind::kAppend, peer.id);
  message.log_index = peer.next - 1;
  message.log_term = log_.TermAt(peer.next - 1).value_or(0);
  message.commit = commit_;
  message.round = round_sent_;
}

absl::Status Raft::Core::HandleAppendReply(const Message& message) {
  Progress* peer = role_ == Role::kLeader ? Find(message.from) : nullptr;
  if (peer == nullptr) return absl::OkStatus();
  const Index place = message.reject ? message.context : message.log_index;
  // To what this node sent as the leader of an earlier term: nothing is under way for it now.
  if (message.reject && place == 0) return absl::OkStatus();
  if (place > log_.last()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "append reply from node ", message.from, ": speaks of entry ", place, " of ", log_.last()));
  }
  peer->active = true;
  peer->round = std::max(peer->round, std::min(message.round, round_sent_));
  bool rose = false;
  if (message.reject) {
    // Fast backtracking (E59; paper, end of 5.3): skip the whole term that conflicts. Always back
    // by at least one, whatever the peer says, so no answer repeats itself for ever (E69).
    Index resume = message.log_index;
    if (message.conflict_term.has_value()) {
      const std::optional<Index> ours = log_.LastOfTerm(*message.conflict_term, place - 1);
      if (ours.has_value()) resume = *ours + 1;
    }
    resume = std::clamp<Index>(resume, 1, place);
    flush_appends_ |= peer->Refuse(place, resume);
  } else {
    rose = peer->Acknowledge(message.log_index);
    peer->waits_since = round_sent_;
    const bool caught_up = peer->match >= log_.compacted();
    if (peer->state == PeerProgress::State::kSnapshot && caught_up) peer->BecomeReplicate();
    flush_appends_ |= peer->next <= log_.last() || peer->commit_sent < commit_;
    if (peer->id == transfer_to_) FinishTransfer();
  }
  ConfirmRounds();
  if (rose) MaybeCommit();  // last: it may change who the peers are
  return absl::OkStatus();
}

void Raft::Core::HandleHeartbeatReply(const Message& message) {
  Progress* peer = role_ == Role::kLeader ? Find(message.from) : nullptr;
  if (peer == nullptr) return;
  peer->active = true;
  peer->round = std::max(peer->round, std::min(message.round, round_sent_));
  peer->sleeps = message.forced;
  if (peer->match < log_.last()) {
    peer->probe_sent = false;
    // It answers a heartbeat that left after the appends under way, and those it does not answer.
    if (peer->inflights.count() > 0 && message.round > peer->waits_since) {
      PostProbeOfWindow(*peer);
      peer->waits_since = round_sent_;
    }
    flush_appends_ = true;
  }
  ConfirmRounds();
  MaybeSleep();
}

absl::Status Raft::Core::HandleSnapshotReply(const Message& message) {
  Progress* peer = role_ == Role::kLeader ? Find(message.from) : nullptr;
  if (peer == nullptr) return absl::OkStatus();
  peer->active = true;
  if (message.reject) {
    peer->BecomeProbe(peer->match + 1);
    peer->probe_sent = true;  // until it answers a heartbeat: do not send another at once
    return absl::OkStatus();
  }
  if (message.log_index > log_.last()) {
    return absl::InvalidArgumentError(absl::StrCat("snapshot reply from node ", message.from,
                                                   ": holds entry ", message.log_index, " of ",
                                                   log_.last()));
  }
  const bool rose = peer->Acknowledge(message.log_index);
  if (peer->match >= log_.compacted() && peer->state != PeerProgress::State::kReplicate) {
    peer->BecomeReplicate();
  }
  flush_appends_ = true;
  if (rose) MaybeCommit();
  return absl::OkStatus();
}

void Raft::Core::OnSnapshotSent(NodeId node, Index index, bool ok) {
  Progress* peer = role_ == Role::kLeader ? Find(node) : nullptr;
  if (peer == nullptr || peer->state != PeerProgress::State::kSnapshot) return;
  peer->BecomeProbe(ok ? std::max(peer->match, index) + 1 : peer->match + 1);
  peer->next = std::min(peer->next, log_.last() + 1);
  peer->probe_sent = true;  // its own answer, or that to a heartbeat, comes first
}

void Raft::Core::OnUnreachable(NodeId node) {
  Progress* peer = role_ == Role::kLeader ? Find(node) : nullptr;
  // The leader wakes as well: it has to find out whether it still has a quorum.
  if (hibernating_ && (node == leader_ || peer != nullptr)) Wake();
  if (peer != nullptr && peer->state == PeerProgress::State::kReplicate) {
    peer->BecomeProbe(peer->match + 1);
    peer->probe_sent = true;
  }
}

void Raft::Core::OnEntriesRead(NodeId node, Index first, std::vector<Entry> entries) {
  Progress* peer = role_ == Role::kLeader ? Find(node) : nullptr;
  if (peer == nullptr || peer->reading != first) return;
  peer->reading = 0;
  // Empty: tried again when the peer answers a heartbeat, which it does when it is alive.
  if (entries.empty() || peer->next != first || peer->Paused(options_)) return;
  if (first <= log_.compacted()) {
    flush_appends_ = true;
    return;
  }
  const uint64_t entries_max = EntriesMax(options_.append_bytes_max);
  if (entries.size() > entries_max) entries.resize(static_cast<size_t>(entries_max));
  uint64_t bytes = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    if (entry.index != first + i || !log_.Holds(entry.index, entry.term)) return;
    bytes += entry.payload.size();
  }
  PostAppend(*peer, std::move(entries), bytes);
  flush_appends_ = true;
}

bool Raft::Core::CommittedInTerm() const {
  return role_ == Role::kLeader && commit_ >= term_start_;
}

// Paper, 5.3 and 5.4.2: what a majority holds durably is committed if it is of this term; what is
// older only together with it, else a later leader could still replace it (figure 8).
void Raft::Core::MaybeCommit() {
  if (role_ != Role::kLeader) return;
  const Index index = QuorumValue(membership(), [this](NodeId voter) -> Index {
    if (voter == options_.id) return persisted_;
    const Progress* peer = Find(voter);
    return peer == nullptr ? 0 : peer->match;
  });
  if (index <= commit_) return;
  if (index < term_start_ && !SLIPWAY_MUTANT("raft-count-old-term")) return;
  CommitTo(index);
  AdvanceMembership();
}

}  // namespace slipway::raft
