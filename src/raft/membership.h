// How a group changes its members: from one voter at a time to joint consensus (Raft thesis,
// chapter 4). Pure functions of values; ConfigHistory is thread-compatible.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "raft/types.h"

namespace slipway::raft {

// Whether `node` votes: in either half of a joint configuration.
bool IsVoter(const Membership& membership, NodeId node);
// Whether it receives the log at all.
bool IsMember(const Membership& membership, NodeId node);
// Every member once, sorted.
std::vector<NodeId> MembersOf(const Membership& membership);

// InvalidArgument unless the lists are sorted, without repetition and kNoNode, disjoint where they
// must be, and there is a voter. `what` begins the text.
absl::Status CheckMembership(const Membership& membership, const char* what);

// The configuration to append on the way from `current` to `target`: `target` itself when at most
// one voter comes or goes (4.1), else the joint one (4.3). InvalidArgument: `target` is malformed,
// joint, or what stands already.
absl::StatusOr<Membership> FirstStep(const Membership& current, const Membership& target);
// What follows the joint `membership`.
Membership AfterJoint(const Membership& membership);

// The configurations of a log. A server uses the latest in its log, committed or not (4.1), so a
// truncation takes it back to an earlier one.
class ConfigHistory {
 public:
  struct Config {
    Index index = 0;  // of its entry; 0 or the compacted index for the first
    Membership membership;
  };

  explicit ConfigHistory(Config first) : configs_{std::move(first)} {}

  const Config& latest() const { return configs_.back(); }
  // The one in force up to entry `index`.
  const Config& At(Index index) const;

  void Append(Config config) { configs_.push_back(std::move(config)); }
  // Entries from `first` on are gone. Whether the latest changed.
  bool TruncateFrom(Index first);
  // Nobody asks any more what was in force below `index`.
  void Compact(Index index);

 private:
  std::vector<Config> configs_;  // never empty; rising
};

}  // namespace slipway::raft
