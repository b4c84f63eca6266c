#include "eraft/node/handover.h"

#include <algorithm>
#include <vector>

#include "base/mutant.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

bool Stays(absl::Span<const PeerSight> peers, raft::NodeId id) {
  if (SLIPWAY_MUTANT("node-handover-to-anybody")) return true;
  return std::any_of(peers.begin(), peers.end(), [id](const PeerSight& peer) {
    return peer.id == id && peer.reachable && !peer.leaving;
  });
}

bool MayLead(const raft::PeerProgress& peer, raft::NodeId self, absl::Span<const PeerSight> peers) {
  return peer.id != self && !peer.learner && Stays(peers, peer.id);
}

}  // namespace

raft::NodeId BestSuccessor(const raft::Status& status, raft::NodeId self,
                           absl::Span<const PeerSight> peers) {
  const raft::PeerProgress* best = nullptr;
  for (const raft::PeerProgress& peer : status.peers) {
    // Of a group that sleeps nobody is heard from, and all were there when it fell asleep.
    if (!(peer.active || status.hibernating) || !MayLead(peer, self, peers)) continue;
    if (best == nullptr || peer.match > best->match) best = &peer;
  }
  return best == nullptr ? raft::kNoNode : best->id;
}

bool HasQuorum(const raft::Status& status, raft::NodeId self, absl::Span<const PeerSight> peers) {
  const auto majority = [&](const std::vector<raft::NodeId>& voters) {
    const auto there = std::count_if(voters.begin(), voters.end(), [&](raft::NodeId id) {
      return id == self || Stays(peers, id);
    });
    return voters.empty() || static_cast<size_t>(there) > voters.size() / 2;
  };
  return majority(status.membership.voters) && majority(status.membership.outgoing);
}

Handover::Step Handover::Next(const raft::Status& status, absl::Span<const PeerSight> peers,
                              absl::Duration now) {
  if (status.role != raft::Role::kLeader || now >= until_) return {Kind::kDone};
  // Whoever has been asked and goes or cannot be reached any more will not take it.
  if (status.transfer_to != raft::kNoNode && Stays(peers, status.transfer_to)) {
    return {Kind::kWait};
  }
  raft::Status rest = status;
  bool silent = false;  // somebody may yet be heard from
  rest.peers.clear();
  for (const raft::PeerProgress& peer : status.peers) {
    if (tried_.count(peer.id) != 0 || !MayLead(peer, self_, peers)) continue;
    rest.peers.push_back(peer);
    silent |= !peer.active;
  }
  const raft::NodeId to = BestSuccessor(rest, self_, peers);
  if (to != raft::kNoNode) {
    tried_.insert(to);
    return {Kind::kTransfer, to};
  }
  return {silent && now < wait_until_ ? Kind::kWait : Kind::kDone};
}

}  // namespace slipway::eraft
