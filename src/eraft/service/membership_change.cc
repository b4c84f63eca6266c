#include "eraft/service/membership_change.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/mutant.h"
#include "base/net/endpoint.h"
#include "base/status.h"
#include "eraft/node/readmission.h"
#include "eraft/service/config.h"
#include "eraft/service/limits.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

constexpr absl::Duration kLookEveryMembers = absl::Milliseconds(20);
// From the moment that the new members have caught up.
constexpr absl::Duration kQuorumWithin = absl::Seconds(5);
// A learner that is no further behind than this has caught up: what is left is one round trip.
constexpr raft::Index kCaughtUpEntries = 100;

using Role = MembershipRequest::Role;

std::vector<raft::NodeId> Sorted(const std::set<raft::NodeId>& ids) {
  return {ids.begin(), ids.end()};
}

absl::Status CheckRequest(const MembershipRequest& request) {
  std::set<raft::NodeId> seen;
  for (const MembershipRequest::Member& member : request.add) {
    if (member.id == raft::kNoNode) {
      return absl::InvalidArgumentError("change members: ids begin at 1");
    }
    if (!seen.insert(member.id).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("change members: member ", member.id, " is named twice"));
    }
    if (member.address.empty()) continue;
    const auto endpoint = base::net::ParseEndpoint(member.address);
    if (!endpoint.ok()) {
      return base::Annotate(endpoint.status(),
                            absl::StrCat("change members: address of member ", member.id));
    }
    if (endpoint->host.empty() || endpoint->port == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("change members: address ", member.address, " has no host or no port"));
    }
  }
  for (const raft::NodeId id : request.remove) {
    if (seen.insert(id).second) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("change members: member ", id, " is named twice"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<raft::Membership> TargetOf(const raft::Membership& now, raft::NodeId self,
                                          const MembershipRequest& request) {
  SLIPWAY_RETURN_IF_ERROR(CheckRequest(request));
  std::set<raft::NodeId> voters(now.voters.begin(), now.voters.end());
  std::set<raft::NodeId> learners(now.learners.begin(), now.learners.end());
  for (const raft::NodeId id : request.remove) {
    if (voters.erase(id) + learners.erase(id) == 0) {
      return absl::InvalidArgumentError(absl::StrCat("change members: ", id, " is no member"));
    }
  }
  for (const MembershipRequest::Member& member : request.add) {
    voters.erase(member.id);
    learners.erase(member.id);
    (member.role == Role::kVoter ? voters : learners).insert(member.id);
  }
  if (voters.empty()) {
    return absl::InvalidArgumentError("change members: nobody would be left to vote");
  }
  if (voters.size() + learners.size() > kMembersMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("change members: more than ", kMembersMax, " members"));
  }
  if (voters.count(self) == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "change members: member ", self, " leads; hand the office over first: eraftctl transfer"));
  }
  raft::Membership target;
  target.voters = Sorted(voters);
  target.learners = Sorted(learners);
  return target;
}

absl::Status CheckAddresses(const raft::Membership& now, const Addresses& addresses,
                            const MembershipRequest& request) {
  std::map<std::string, raft::NodeId> taken;
  const auto listed = [](const auto& list, raft::NodeId id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  for (const raft::NodeId id : raft::MembersOf(now)) {
    const auto found = addresses.find(id);
    if (found == addresses.end() || listed(request.remove, id)) continue;
    taken.emplace(AddressKey(found->second), id);
  }
  for (const MembershipRequest::Member& member : request.add) {
    if (member.address.empty()) continue;
    const auto [place, is_free] = taken.emplace(AddressKey(member.address), member.id);
    if (is_free || place->second == member.id) continue;
    return absl::InvalidArgumentError(absl::StrCat("change members: address ", member.address,
                                                   " of member ", member.id, " is that of member ",
                                                   place->second));
  }
  return absl::OkStatus();
}

absl::Status CheckLiveQuorum(const raft::Status& status, const raft::Membership& target,
                             absl::Span<const PeerSight> sights) {
  size_t live = 0;
  std::vector<raft::NodeId> silent;
  for (const raft::NodeId id : target.voters) {
    const auto peer = std::find_if(status.peers.begin(), status.peers.end(),
                                   [id](const raft::PeerProgress& p) { return p.id == id; });
    // The leader itself is no peer of its own, or an active one.
    const bool own = status.role == raft::Role::kLeader && id == status.leader;
    const bool reachable = std::any_of(sights.begin(), sights.end(), [id](const PeerSight& sight) {
      return sight.id == id && sight.reachable;
    });
    // A group that sleeps hears nobody, and one that has just woken takes all for active.
    const bool active = peer != status.peers.end() && (peer->active || status.hibernating);
    const bool heard = own || (active && (reachable || SLIPWAY_MUTANT("kv-quorum-unseen")));
    live += heard ? 1 : 0;
    if (!heard) silent.push_back(id);
  }
  if (live > target.voters.size() / 2) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "change members: of the voters then only ", live, " of ", target.voters.size(),
      " are heard from, and nothing could be written; silent: ", absl::StrJoin(silent, ", "),
      "; start them, or force it"));
}

bool HasCaughtUp(const raft::PeerProgress& peer, raft::Index commit) {
  return peer.active && peer.match > 0 && peer.match + kCaughtUpEntries >= commit;
}

raft::NodeId CaughtUpLearner(const raft::Status& status) {
  for (const raft::PeerProgress& peer : status.peers) {
    if (peer.learner && HasCaughtUp(peer, status.commit)) return peer.id;
  }
  return raft::kNoNode;
}

void MembershipChange::Start(Replica& replica, MembershipRequest request, Done done) {
  std::make_shared<MembershipChange>(replica, std::move(request), std::move(done))->Begin();
}

void MembershipChange::Begin() {
  Node* node = replica_.node();
  if (node == nullptr) return Finish(absl::UnavailableError("change members: this node stops"));
  const auto status = node->GetStatus(kKvGroup);
  if (!status.ok()) return Finish(status.status());
  const raft::Status& now = status->raft;
  if (now.role != raft::Role::kLeader) {
    return Finish(
        absl::UnavailableError("change members: this node does not lead; ask the leader"));
  }
  if (request_.expected_term != 0 && request_.expected_term != now.term) {
    return Finish(
        absl::AbortedError(absl::StrCat("change members: decided in term ", request_.expected_term,
                                        ", this is term ", now.term, "; look again")));
  }
  // This one is counted, too. What each comes to rests on the members as they are now: of two, the
  // second to end would undo the first.
  const bool other = replica_.changes > 1 && !SLIPWAY_MUTANT("kv-changes-overlap");
  if (now.membership.joint() || other) {
    return Finish(absl::FailedPreconditionError(
        "change members: another change is under way; look again when it has ended"));
  }
  const absl::Status planned = Plan(now);
  if (!planned.ok()) return Finish(planned);
  WriteAddresses();
}

absl::Status MembershipChange::Plan(const raft::Status& now) {
  term_ = now.term;
  before_ = with_learners_ = now.membership;
  SLIPWAY_ASSIGN_OR_RETURN(target_, TargetOf(before_, replica_.options().self, request_));
  const auto view = replica_.view();
  SLIPWAY_RETURN_IF_ERROR(CheckAddresses(before_, view->addresses, request_));
  for (const raft::NodeId id : target_.voters) {
    if (raft::IsVoter(before_, id)) continue;
    newcomers_.push_back(id);
    if (!raft::IsMember(before_, id)) with_learners_.learners.push_back(id);
  }
  std::sort(with_learners_.learners.begin(), with_learners_.learners.end());
  for (const MembershipRequest::Member& member : request_.add) {
    if (member.address.empty() && view->AddressOf(member.id).empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("change members: the address of member ", member.id, " is not known"));
    }
  }
  // Who is new may be started any time; those that are there must be able to go on without.
  if (request_.force || !newcomers_.empty()) return absl::OkStatus();
  return CheckLiveQuorum(now, target_, replica_.sights());
}

void MembershipChange::PutAddress(raft::NodeId id, const std::string& address) {
  Put(MemberKey(id), address);
}

// Empty: the key goes.
void MembershipChange::Put(std::string key, const std::string& value) {
  Command command;
  command.op = value.empty() ? CommandOp::kDelete : CommandOp::kPut;
  command.shard = kSystemShard;
  command.key = std::move(key);
  command.value = value;
  const auto bytes = replica_.Prepare(std::move(command));
  if (!bytes.ok()) {
    write_error_ = bytes.status();
    return;
  }
  ++writes_;
  replica_.node()->Propose(kKvGroup, *bytes, request_.deadline,
                           [self = shared_from_this()](const absl::StatusOr<Outcome>& outcome) {
                             --self->writes_;
                             if (!outcome.ok()) self->write_error_ = outcome.status();
                           });
}

void MembershipChange::WriteAddresses() {
  // A new leader may not have come to it yet.
  if (replica_.view()->system.keys == 0) replica_.SeedAddresses();
  for (const MembershipRequest::Member& member : request_.add) {
    if (!member.address.empty()) PutAddress(member.id, member.address);
  }
  // Before the members change: else a leader would take in again by itself whom it sees go (E416).
  for (const raft::NodeId id : request_.remove) Put(ReadmissionKey(id), "");
  Later();
}

// With which data the newcomers came: who was away may know others of a member that had the id
// before, and would refuse this one for ever (E123).
void MembershipChange::WriteData() {
  for (const raft::NodeId id : newcomers_) {
    const std::optional<uint64_t> data = replica_.data_of(id);
    if (!data.has_value() || SLIPWAY_MUTANT("kv-newcomers-data-untold")) continue;
    Put(ReadmissionKey(id),
        EncodeReadmission({.stage = Readmission::Stage::kDone, .incarnation = *data, .times = 0}));
  }
}

void MembershipChange::Later() {
  replica_.loop().After(kLookEveryMembers, [self = shared_from_this()] { self->Look(); });
}

void MembershipChange::Enter(Phase phase) {
  phase_ = phase;
  proposed_ = false;
  seen_at_.reset();
}

// One entry of the log, asked for again while the group is not ready for it.
void MembershipChange::ProposeSoon(const raft::Membership& target) {
  const absl::Status proposed = replica_.node()->ProposeMembership(kKvGroup, target);
  if (proposed.ok()) {
    proposed_ = true;
  } else if (!absl::IsFailedPrecondition(proposed)) {
    return Finish(base::Annotate(proposed, "change members"));
  }
  Later();
}

// The entry that makes it so is committed: it is not above the last one as it was first seen.
bool MembershipChange::Settled(const raft::Status& status, const raft::Membership& wanted) {
  if (!(status.membership == wanted)) return false;
  if (!seen_at_.has_value()) seen_at_ = status.last;
  return status.commit >= *seen_at_;
}

std::vector<raft::NodeId> MembershipChange::Behind(const raft::Status& status) const {
  std::vector<raft::NodeId> behind;
  for (const raft::NodeId id : newcomers_) {
    const auto peer = std::find_if(status.peers.begin(), status.peers.end(),
                                   [id](const raft::PeerProgress& p) { return p.id == id; });
    if (peer == status.peers.end() || !HasCaughtUp(*peer, status.commit)) behind.push_back(id);
  }
  return behind;
}

// Why a member has not caught up, as well as the leader can tell.
std::string MembershipChange::TroubleOf(const raft::Status& status, raft::NodeId id) const {
  if (std::string known = request_.trouble ? request_.trouble(id) : ""; !known.empty()) {
    return known;
  }
  const auto peer = std::find_if(status.peers.begin(), status.peers.end(),
                                 [id](const raft::PeerProgress& p) { return p.id == id; });
  if (peer == status.peers.end() || !peer->active) return "not heard from";
  return absl::StrCat(status.commit - std::min(status.commit, peer->match), " entries behind");
}

std::string MembershipChange::Missing(const raft::Status& status) const {
  switch (phase_) {
    case Phase::kAddresses:
    case Phase::kForget:
      return "addresses are not written";
    case Phase::kLearners:
      return "the new members are not yet learners";
    case Phase::kCatchUp: {
      std::vector<std::string> behind;
      for (const raft::NodeId id : Behind(status)) {
        behind.push_back(absl::StrCat(id, " (", TroubleOf(status, id), ")"));
      }
      return absl::StrCat(
          "learners stay, but these have not caught up: ", absl::StrJoin(behind, ", "),
          "; see that they run, then eraftctl member promote ID, or eraftctl member remove ID");
    }
    case Phase::kChange:
      return "the change is in the log, but not yet committed; look again";
  }
  return "";
}

void MembershipChange::Look() {
  Node* node = replica_.node();
  if (node == nullptr) return Finish(absl::UnavailableError("change members: this node stops"));
  const auto status = node->GetStatus(kKvGroup);
  if (!status.ok()) return Finish(status.status());
  const raft::Status& now = status->raft;
  if (const absl::Status goes_on = CheckGoesOn(now); !goes_on.ok()) return Finish(goes_on);
  Step(now);
}

absl::Status MembershipChange::CheckGoesOn(const raft::Status& now) const {
  if (now.role != raft::Role::kLeader || now.term != term_) {
    return absl::UnavailableError(
        "change members: this node leads no more; look at the members, then ask the new leader");
  }
  if (!write_error_.ok()) return base::Annotate(write_error_, "change members");
  if (replica_.now() > request_.deadline) {
    return absl::DeadlineExceededError(
        absl::StrCat("change members: not done in time: ", Missing(now)));
  }
  const bool asked_for = phase_ == Phase::kForget || (phase_ == Phase::kChange && proposed_);
  if (asked_for) return absl::OkStatus();
  if (request_.cancelled && request_.cancelled()) {
    return absl::CancelledError("change members: whoever asked for it has gone");
  }
  // Nothing is asked for that rests on members as they are no more.
  const bool first = phase_ == Phase::kAddresses || phase_ == Phase::kLearners;
  if (now.membership == (first ? before_ : with_learners_)) return absl::OkStatus();
  if (phase_ == Phase::kLearners && proposed_) return absl::OkStatus();
  return absl::AbortedError("change members: they have changed meanwhile; look again");
}

void MembershipChange::Step(const raft::Status& now) {
  switch (phase_) {
    case Phase::kAddresses:
      if (writes_ > 0) return Later();
      replica_.Look();  // the transport learns the addresses
      if (now.membership == target_) return Finish(absl::OkStatus());  // only addresses changed
      Enter(newcomers_.empty()          ? Phase::kChange
            : with_learners_ == before_ ? Phase::kCatchUp
                                        : Phase::kLearners);
      return Later();
    case Phase::kLearners:
      if (!proposed_) return ProposeSoon(with_learners_);
      if (Settled(now, with_learners_)) Enter(Phase::kCatchUp);
      return Later();
    case Phase::kCatchUp: {
      if (!request_.force && !Behind(now).empty()) return Later();
      if (!request_.force) {
        // Whoever has only just come back is heard from in a moment.
        const absl::Status live = CheckLiveQuorum(now, target_, replica_.sights());
        if (!caught_up_at_.has_value()) caught_up_at_ = replica_.now();
        if (!live.ok() && replica_.now() - *caught_up_at_ < kQuorumWithin) return Later();
        if (!live.ok()) return Finish(live);
      }
      WriteData();
      Enter(Phase::kChange);
      return Later();
    }
    case Phase::kChange:
      if (writes_ > 0) return Later();
      if (!proposed_) return ProposeSoon(target_);
      if (!Settled(now, target_)) return Later();
      Enter(Phase::kForget);
      ForgetRemoved();
      return Later();
    case Phase::kForget:
      if (writes_ > 0) return Later();
      replica_.Look();
      return Finish(absl::OkStatus());
  }
}

void MembershipChange::ForgetRemoved() {
  for (const raft::NodeId id : request_.remove) PutAddress(id, "");
}

void MembershipChange::Finish(absl::Status status) {
  Done done = std::exchange(done_, nullptr);
  if (!done) return;
  --replica_.changes;
  done(std::move(status));
}

}  // namespace slipway::eraft
