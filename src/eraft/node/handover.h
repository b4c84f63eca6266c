// Who takes a leader's office when its node goes, and how long that is waited for (E195). Pure.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <set>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "raft/raft.h"

namespace slipway::eraft {

// What the transport knows of a peer.
struct PeerSight {
  raft::NodeId id = raft::kNoNode;
  bool reachable = false;      // messages can be sent to it
  bool leaving = false;        // it said that it is about to stop
  uint32_t feature_level = 0;  // what it announced; 0: nothing yet
};

// The voter that is to lead after `self`: reachable, staying, heard from within an election
// timeout, and of these furthest ahead. kNoNode: none.
raft::NodeId BestSuccessor(const raft::Status& status, raft::NodeId self,
                           absl::Span<const PeerSight> peers);

// Whether a majority of the voters is there and stays, `self` among them: without one nothing that
// is under way will have an outcome.
bool HasQuorum(const raft::Status& status, raft::NodeId self, absl::Span<const PeerSight> peers);

// One node's way out of its office.
class Handover {
 public:
  // `begun`: now. A peer has one election timeout to take the office, and all of them together have
  // `limit`.
  Handover(raft::NodeId self, absl::Duration begun, absl::Duration election_timeout,
           absl::Duration limit)
      : self_(self), wait_until_(begun + election_timeout), until_(begun + limit) {}

  enum class Kind : uint8_t { kDone, kWait, kTransfer };
  struct Step {
    Kind kind = Kind::kDone;
    raft::NodeId to = raft::kNoNode;  // of kTransfer: to be told the Raft now
  };
  // To be asked again and again with what is so now, until it says kDone: the node does not lead,
  // or there is nobody to lead instead of it.
  Step Next(const raft::Status& status, absl::Span<const PeerSight> peers, absl::Duration now);

 private:
  const raft::NodeId self_;
  const absl::Duration wait_until_, until_;
  std::set<raft::NodeId> tried_;
};

}  // namespace slipway::eraft
