// A membership from a log or a snapshot is refused, or encodes to the very bytes it was read from,
// passes the check that every other way in makes, and has majorities that meet.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "raft/membership.h"
#include "raft/quorum.h"
#include "raft/raft.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace raft = slipway::raft;
  const slipway::base::BytesView bytes(data, size);
  const auto membership = raft::DecodeMembership(bytes);
  if (!membership.ok()) {
    SLIPWAY_CHECK(absl::IsDataLoss(membership.status()));
    return 0;
  }
  const slipway::base::Bytes written = raft::EncodeMembership(*membership);
  SLIPWAY_CHECK(slipway::base::BytesView(written) == bytes);
  SLIPWAY_CHECK(raft::CheckMembership(*membership, "fuzz").ok());
  const std::vector<raft::NodeId> members = raft::MembersOf(*membership);
  SLIPWAY_CHECK(std::adjacent_find(members.begin(), members.end(), std::greater_equal<>()) ==
                members.end());
  for (const raft::NodeId node : members) SLIPWAY_CHECK(raft::IsMember(*membership, node));
  // What follows a joint configuration is one that could have been asked for.
  const raft::Membership after = raft::AfterJoint(*membership);
  SLIPWAY_CHECK(raft::CheckMembership(after, "fuzz").ok());
  if (!membership->joint()) SLIPWAY_CHECK(after == *membership);
  constexpr size_t kVotersMax = 64;  // counting is quadratic
  if (members.size() > kVotersMax) return 0;
  std::vector<raft::Ballot> all;
  all.reserve(members.size());
  for (const raft::NodeId node : members) all.push_back({node, true});
  SLIPWAY_CHECK(raft::CountVotes(*membership, all) == raft::VoteResult::kWon);
  SLIPWAY_CHECK(raft::CountVotes(*membership, {}) == raft::VoteResult::kPending);
  SLIPWAY_CHECK(raft::QuorumValue(*membership, [](raft::NodeId) { return uint64_t{7}; }) == 7);
  return 0;
}
