// A group that has nothing to do sleeps (E108). The leader proposes it with its heartbeats, each
// member agrees by falling asleep, and when all have, the leader stops too. Any message, proposal
// or read wakes a node; a leader that wakes wakes the rest by a heartbeat. If the leader died
// meanwhile, liveness of its node, which the driver watches for all groups at once, wakes them
// (OnUnreachable); if another member did, it wakes the leader, which steps down where no quorum is
// left. Nothing here touches safety: an asleep leader confirms no round, so it answers
// no read.
#include <algorithm>

#include "raft/core.h"

namespace slipway::raft {

// Whether there is nothing that a tick could bring forward.
bool Raft::Core::Quiet() const {
  if (commit_ != log_.last() || applied_ != commit_ || transfer_to_ != kNoNode) return false;
  if (!waiting_.empty() || !asked_.empty() || membership().joint()) return false;
  return std::all_of(peers_.begin(), peers_.end(), [this](const Progress& peer) {
    return peer.match == log_.last() && peer.commit_sent == commit_;
  });
}

void Raft::Core::TickHibernation() {
  if (options_.hibernate_ticks == 0) return;
  if (!Quiet()) {
    quiet_ticks_ = 0;
    for (Progress& peer : peers_) peer.sleeps = false;
    return;
  }
  if (quiet_ticks_ < options_.hibernate_ticks) ++quiet_ticks_;  // a member may be away for years
  if (peers_.empty()) MaybeSleep();
}

void Raft::Core::MaybeSleep() {
  if (options_.hibernate_ticks == 0 || quiet_ticks_ < options_.hibernate_ticks || !Quiet()) return;
  for (const Progress& peer : peers_) {
    if (!peer.sleeps) return;
  }
  hibernating_ = true;
  log_.Shrink();
}

bool Raft::Core::MaySleep(const Message& heartbeat) const {
  return options_.hibernate_ticks > 0 && heartbeat.commit == log_.last() &&
         commit_ == log_.last() && applied_ == commit_ && forwarded_.empty();
}

void Raft::Core::Wake() {
  hibernating_ = false;
  quiet_ticks_ = 0;
  election_elapsed_ = 0;
  if (role_ != Role::kLeader) return;
  for (Progress& peer : peers_) {
    peer.active = true;  // it was not asked; it has an election timeout to answer
    peer.sleeps = false;
  }
  BeginRound();
}

}  // namespace slipway::raft
