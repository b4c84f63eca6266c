// Majorities of a membership, simple or joint (Raft thesis, 4.3). Pure functions of values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "raft/types.h"

namespace slipway::raft {

enum class VoteResult : uint8_t { kPending, kWon, kLost };

inline size_t MajorityOf(size_t voters) { return voters / 2 + 1; }

// The greatest value that a majority of `voters` has reached; the maximum for no voters, so that an
// absent half of a joint configuration never decides. Quadratic in the voters, who are few, and so
// without memory of its own.
template <class ValueOf>
uint64_t MajorityValue(const std::vector<NodeId>& voters, ValueOf value_of) {
  if (voters.empty()) return std::numeric_limits<uint64_t>::max();
  uint64_t best = 0;
  for (const NodeId candidate : voters) {
    const uint64_t value = value_of(candidate);
    if (value <= best) continue;
    size_t reached = 0;
    for (const NodeId other : voters) reached += value_of(other) >= value ? 1 : 0;
    if (reached >= MajorityOf(voters.size())) best = value;
  }
  return best;
}

// The greatest value that every majority which must agree has reached (E104). Learners do not
// count.
template <class ValueOf>
uint64_t QuorumValue(const Membership& membership, ValueOf value_of) {
  if (membership.voters.empty()) return 0;
  const uint64_t incoming = MajorityValue(membership.voters, value_of);
  const uint64_t outgoing = MajorityValue(membership.outgoing, value_of);
  return incoming < outgoing ? incoming : outgoing;
}

// A ballot of one voter.
struct Ballot {
  NodeId voter = kNoNode;
  bool granted = false;
};

// Won: each majority granted. Lost: one of them can no longer be reached.
VoteResult CountVotes(const Membership& membership, const std::vector<Ballot>& ballots);

}  // namespace slipway::raft
