#include "raft/quorum.h"

namespace slipway::raft {
namespace {

VoteResult CountHalf(const std::vector<NodeId>& voters, const std::vector<Ballot>& ballots) {
  if (voters.empty()) return VoteResult::kWon;
  size_t granted = 0;
  size_t refused = 0;
  for (const NodeId voter : voters) {
    for (const Ballot& ballot : ballots) {
      if (ballot.voter != voter) continue;
      ++(ballot.granted ? granted : refused);
    }
  }
  if (granted >= MajorityOf(voters.size())) return VoteResult::kWon;
  const bool reachable = voters.size() - refused >= MajorityOf(voters.size());
  return reachable ? VoteResult::kPending : VoteResult::kLost;
}

}  // namespace

VoteResult CountVotes(const Membership& membership, const std::vector<Ballot>& ballots) {
  if (membership.voters.empty()) return VoteResult::kLost;
  const VoteResult incoming = CountHalf(membership.voters, ballots);
  const VoteResult outgoing = CountHalf(membership.outgoing, ballots);
  if (incoming == VoteResult::kLost || outgoing == VoteResult::kLost) return VoteResult::kLost;
  return incoming == outgoing ? incoming : VoteResult::kPending;
}

}  // namespace slipway::raft
