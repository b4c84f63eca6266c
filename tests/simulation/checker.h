// What must hold at every step of a run (E203), judged from outside by what nodes show: messages,
// durable states, what they apply. Shares no rule with the code it judges. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "coverage.h"
#include "eraft/store/command.h"
#include "raft/message.h"
#include "raft/types.h"
#include "trace.h"

namespace slipway::eraft::simulation {

// Of one group.
class Checker {
 public:
  explicit Checker(Trace& trace) : trace_(&trace) {}

  // ---- What node `id` shows ----
  void OnSend(raft::NodeId id, const raft::Message& message);
  void OnHardState(raft::NodeId id, const raft::HardState& state);
  void OnApplied(raft::NodeId id, absl::Span<const raft::Entry> entries);
  void OnInstalled(raft::NodeId id, const raft::SnapshotMark& mark);
  // The node came up again, and recovered this.
  struct Recovered {
    raft::Term term = 0;
    raft::NodeId vote = raft::kNoNode;
    raft::Index last = 0, applied = 0;
  };
  void OnRestart(raft::NodeId id, const Recovered& recovered);
  // The whole state of the node after it applied `index`, as a hash.
  void OnState(raft::NodeId id, raft::Index index, uint64_t hash);
  // A client was told that its command took effect, as the entry `index`.
  void OnAcknowledged(ClientId client, CommandId command, raft::Index index);

  // The first rule that was broken; empty: none.
  const std::string& violation() const { return violation_; }
  void Violate(std::string what);

  // Who was first seen to lead the highest term; term 0: nobody yet.
  struct Leader {
    raft::Term term = 0;
    raft::NodeId id = raft::kNoNode;
  };
  Leader newest_leader() const;
  const Coverage& coverage() const { return coverage_; }

  raft::Index applied_max() const { return entries_.size(); }
  raft::Term term_max() const { return term_max_; }

 private:
  struct Applied {  // of all nodes: entry index - 1 is the place
    raft::Term term = 0;
    uint64_t print = 0;        // 0: not known (yet)
    raft::Term term_seen = 0;  // highest term of the cluster when it was first applied
    ClientId client = 0;
    CommandId command = 0;
    uint64_t state = 0;  // hash of the state after it; 0: not known
    raft::NodeId state_of = raft::kNoNode;
  };
  struct Node {
    raft::HardState durable;
    raft::Index applied = 0;
    raft::Term acked_term = 0;  // of the highest append that was acknowledged
    raft::Index acked_index = 0;
  };
  struct Sent {  // an entry of an index and a term, as first seen
    raft::Term term = 0;
    raft::Term before = 0;  // term of the entry before
    uint64_t print = 0;
  };

  void CheckTerm(raft::NodeId id, const raft::Message& message);
  void CheckVote(raft::NodeId id, const raft::Message& message);
  void CheckAppend(raft::NodeId id, const raft::Message& message);
  void CheckMatching(raft::NodeId id, raft::Term before, const raft::Entry& entry);
  void CountMembership(const raft::Entry& entry);
  void CheckComplete(raft::NodeId id, raft::Term leader_term, raft::Index index, raft::Term term);

  Trace* trace_;
  std::string violation_;
  std::map<raft::NodeId, Node> nodes_;
  std::map<raft::Term, raft::NodeId> leaders_;
  std::map<std::pair<raft::NodeId, raft::Term>, raft::NodeId> votes_;
  std::vector<Applied> entries_;
  std::vector<std::vector<Sent>> sent_;  // by index
  raft::Term term_max_ = 0;
  Coverage coverage_;
  raft::Index ahead_ = 0;  // a node came up with so much applied, more than anybody had told
};

}  // namespace slipway::eraft::simulation
