// Changes of membership (thesis, chapter 4): a configuration is in force from the moment it is in
// the log; the next may begin when it is committed; a joint one is left when it is committed.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "raft/core.h"

namespace slipway::raft {

absl::StatusOr<Raft::Place> Raft::Core::ProposeMembership(const Membership& target) {
  if (role_ != Role::kLeader) return absl::UnavailableError("change membership: not the leader");
  if (transfer_to_ != kNoNode) {
    return absl::UnavailableError(
        absl::StrCat("change membership: the office is being handed to node ", transfer_to_));
  }
  const ConfigHistory::Config& latest = configs_.latest();
  if (latest.index > commit_ || latest.membership.joint()) {
    return absl::FailedPreconditionError(absl::StrCat("change membership: the change of entry ",
                                                      latest.index,
                                                      " is under way; wait until it is committed"));
  }
  // Without this, two leaders of different terms could each commit a change by majorities that do
  // not meet (the bug of single-server changes that the thesis' author made known in 2015).
  if (!CommittedInTerm() && !SLIPWAY_MUTANT("raft-change-without-own-commit")) {
    return absl::FailedPreconditionError(
        "change membership: no entry of this leader's term is committed yet; retry soon");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Membership next, FirstStep(membership(), target));
  if (hibernating_) Wake();
  const Place place{term_, log_.last() + 1};
  AppendConfig(next);
  if (next.joint() && SLIPWAY_MUTANT("raft-joint-leave-early")) AppendConfig(AfterJoint(next));
  return place;
}

void Raft::Core::AppendConfig(const Membership& next) {
  configs_.Append({log_.last() + 1, next});
  AppendOwn(EntryKind::kMembership, Slice(EncodeMembership(next)));
  RebuildPeers();
}

absl::Status Raft::Core::TakeConfig(const Entry& entry) {
  SLIPWAY_ASSIGN_OR_RETURN(Membership next, DecodeMembership(entry.payload.view()));
  configs_.Append({entry.index, std::move(next)});
  return absl::OkStatus();
}

void Raft::Core::RebuildPeers() {
  std::vector<Progress> peers;
  for (const NodeId member : MembersOf(membership())) {
    if (member == options_.id) continue;
    if (Progress* known = Find(member); known != nullptr) {
      peers.push_back(std::move(*known));
    } else {
      peers.push_back(Progress{.id = member, .next = log_.last() + 1, .active = true});
    }
    peers.back().learner = !IsVoter(membership(), member);
  }
  peers_ = std::move(peers);
  if (!IsVoter(membership(), transfer_to_)) transfer_to_ = kNoNode;
}

// After a commit: what the latest configuration asks for next.
void Raft::Core::AdvanceMembership() {
  const ConfigHistory::Config& latest = configs_.latest();
  if (latest.index > commit_ || !CommittedInTerm()) return;
  if (latest.membership.joint()) {
    AppendConfig(AfterJoint(latest.membership));  // thesis, 4.3
    return;
  }
  if (IsVoter(latest.membership, options_.id)) return;
  // Thesis, 4.2.2: a leader that is removed leads until the change is committed. It names the voter
  // that knows most, so that the group need not wait for a timeout.
  const Progress* best = nullptr;
  for (const Progress& peer : peers_) {
    if (!peer.learner && (best == nullptr || peer.match > best->match)) best = &peer;
  }
  if (best != nullptr) SendTimeoutNow(best->id);
  BecomeFollower(term_, kNoNode, StepDownReason::kRemoved);
}

}  // namespace slipway::raft
