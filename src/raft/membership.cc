#include "raft/membership.h"

#include <algorithm>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::raft {
namespace {

bool Has(const std::vector<NodeId>& nodes, NodeId node) {
  return std::binary_search(nodes.begin(), nodes.end(), node);
}

bool Sorted(const std::vector<NodeId>& nodes) {
  return std::adjacent_find(nodes.begin(), nodes.end(), std::greater_equal<>()) == nodes.end() &&
         (nodes.empty() || nodes.front() != kNoNode);
}

bool Overlap(const std::vector<NodeId>& a, const std::vector<NodeId>& b) {
  return std::any_of(a.begin(), a.end(), [&](NodeId node) { return Has(b, node); });
}

}  // namespace

bool IsVoter(const Membership& membership, NodeId node) {
  return Has(membership.voters, node) || Has(membership.outgoing, node);
}

bool IsMember(const Membership& membership, NodeId node) {
  return IsVoter(membership, node) || Has(membership.learners, node);
}

std::vector<NodeId> MembersOf(const Membership& membership) {
  std::vector<NodeId> members = membership.voters;
  members.insert(members.end(), membership.outgoing.begin(), membership.outgoing.end());
  members.insert(members.end(), membership.learners.begin(), membership.learners.end());
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

absl::Status CheckMembership(const Membership& membership, const char* what) {
  const auto refuse = [what](const char* why) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", why));
  };
  if (membership.voters.empty()) return refuse("no voter; name at least one");
  for (const std::vector<NodeId>* nodes : {&membership.voters, &membership.outgoing,
                                           &membership.learners, &membership.learners_next}) {
    if (!Sorted(*nodes)) return refuse("a list of nodes is unsorted, repeats one or has node 0");
  }
  if (Overlap(membership.voters, membership.learners)) {
    return refuse("a node is voter and learner; name it once");
  }
  if (Overlap(membership.outgoing, membership.learners)) {
    return refuse("a node is outgoing voter and learner");
  }
  for (const NodeId node : membership.learners_next) {
    if (!Has(membership.outgoing, node) || Has(membership.voters, node)) {
      return refuse("learners_next has a node that is not only an outgoing voter");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Membership> FirstStep(const Membership& current, const Membership& target) {
  SLIPWAY_RETURN_IF_ERROR(CheckMembership(target, "change membership"));
  if (target.joint() || !target.learners_next.empty()) {
    return absl::InvalidArgumentError(
        "change membership: the target is a joint configuration; name voters and learners only");
  }
  if (target == current) {
    return absl::InvalidArgumentError("change membership: the target is what stands already");
  }
  std::vector<NodeId> differ;
  std::set_symmetric_difference(current.voters.begin(), current.voters.end(), target.voters.begin(),
                                target.voters.end(), std::back_inserter(differ));
  if (differ.size() <= 1) return target;
  Membership joint;
  joint.voters = target.voters;
  joint.outgoing = current.voters;
  for (const NodeId node : target.learners) {
    // A voter of the old half stays one until the new half decides alone.
    (Has(current.voters, node) ? joint.learners_next : joint.learners).push_back(node);
  }
  return joint;
}

Membership AfterJoint(const Membership& membership) {
  Membership after;
  after.voters = membership.voters;
  std::merge(membership.learners.begin(), membership.learners.end(),
             membership.learners_next.begin(), membership.learners_next.end(),
             std::back_inserter(after.learners));
  return after;
}

const ConfigHistory::Config& ConfigHistory::At(Index index) const {
  const auto after =
      std::upper_bound(configs_.begin(), configs_.end(), index,
                       [](Index wanted, const Config& config) { return wanted < config.index; });
  return after == configs_.begin() ? configs_.front() : *std::prev(after);
}

bool ConfigHistory::TruncateFrom(Index first) {
  const size_t before = configs_.size();
  while (configs_.size() > 1 && configs_.back().index >= first) configs_.pop_back();
  return configs_.size() != before;
}

void ConfigHistory::Compact(Index index) {
  while (configs_.size() > 1 && configs_[1].index <= index) configs_.erase(configs_.begin());
}

}  // namespace slipway::raft
