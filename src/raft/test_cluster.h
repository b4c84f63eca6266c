// A small world for the core alone: nodes with disks that take time and forget what was not synced,
// a network that loses, duplicates, delays and parts, all from one seed. After each event it checks
// what Raft promises (E203) from outside, by what nodes show: messages, Ready, status. Only for
// tests. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "raft/raft.h"

namespace slipway::raft::testing {

struct ClusterOptions {
  int nodes = 3;  // voters 1 … nodes
  uint64_t seed = 1;
  int spare_nodes = 0;  // further ones that start without a membership
  int units_per_tick = 2;
  int delay_units_max = 2;  // of a message
  int write_units_max = 2;  // of a write; 0: done at once
  int drop_percent = 0;
  int duplicate_percent = 0;
  int late_percent = 0;      // delayed ten times as long: reordered
  Index snapshot_every = 0;  // entries applied; 0: never
  Index keep_entries = 3;    // of the log, behind a snapshot
  Options raft;              // id and seed are set per node
};

class TestCluster {
 public:
  explicit TestCluster(const ClusterOptions& options);

  // One unit of time: what is due arrives, then clocks tick. Answers whether all promises held.
  bool Step();
  bool Run(int units);
  // Until `done`; false when it is not within `units_max` or a promise was broken.
  bool RunUntil(const std::function<bool()>& done, int units_max = 4000);

  // The running node that leads the highest term among those connected, or kNoNode.
  NodeId Leader() const;
  // Waits for one; kNoNode: there is none in time.
  NodeId AwaitLeader();
  Raft& raft(NodeId node) { return *nodes_.at(node).raft; }
  bool up(NodeId node) const { return nodes_.at(node).raft != nullptr; }
  std::vector<NodeId> ids() const;

  absl::StatusOr<Raft::Place> Propose(NodeId node, absl::string_view command);
  // Proposes to whoever leads, again and again, until `nodes` have applied it. 0: not in time.
  Index Agree(absl::string_view command, int nodes, int units_max = 6000);
  int AppliedBy(Index index) const;  // nodes
  std::string Command(Index index) const;
  Index applied(NodeId node) const { return nodes_.at(node).applied; }
  // Asks for a read point; false: at once refused. The promise that it is fresh is checked.
  void Read(NodeId node);
  absl::Status Change(const Membership& target);

  void Crash(NodeId node);  // unsynced writes are kept or lost, by chance, in order
  void Restart(NodeId node);
  // The link between two nodes, or all links of one.
  void Connect(NodeId a, NodeId b, bool connected);
  void Connect(NodeId node, bool connected);
  void HealAll();
  void StallDisk(NodeId node, bool stalled) { nodes_.at(node).stalled = stalled; }
  ClusterOptions& options() { return options_; }

  // The first promise that was broken, with seed and time; empty: none.
  const std::string& violation() const { return violation_; }
  uint64_t trace() const { return trace_; }  // hash of every Ready so far
  uint64_t messages() const { return messages_; }
  uint64_t payload_bytes() const { return payload_bytes_; }
  uint64_t reads_answered() const { return reads_answered_; }
  uint64_t snapshots_installed() const { return snapshots_installed_; }
  uint64_t snapshots_sent() const { return snapshots_sent_; }
  uint64_t log_reads() const { return log_reads_; }
  uint64_t Random(uint64_t below);

 private:
  struct State {  // of the state machine: what was applied, in one number
    SnapshotMark mark;
    uint64_t hash = 0;
  };
  struct Disk {
    HardState hard_state;
    SnapshotMark log_start;
    std::vector<Entry> entries;
    State state;
  };
  struct Write {
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
    std::optional<State> install;
    std::vector<Message> then;
    int64_t due = 0;
  };
  struct Node {
    std::unique_ptr<Raft> raft;  // null: down
    int starts = 0;
    Disk disk;
    std::deque<Write> writes;
    bool stalled = false;
    State state;
    Index applied = 0;
    Index commit_seen = 0;
    Term term_seen = 0;
    std::optional<State> incoming;
    std::map<uint64_t, Index> reads;  // context: least index that is fresh enough
  };
  struct Packet {
    Message message;
    std::optional<State> state;
  };
  struct Committed {
    Term term = 0;
    uint64_t hash = 0;  // of all that was applied up to here; 0: not yet applied
    std::string command;
    int applied = 0;
    std::set<NodeId> by;
  };

  void Violate(const std::string& what);
  void Start(NodeId id, const Membership& initial);
  void Pump(NodeId id);
  void TakeReady(NodeId id, Ready ready);
  void Send(NodeId from, const Message& message, const std::optional<State>& state = std::nullopt);
  void Deliver(Packet packet);
  void Persist(NodeId id, Write& write);
  void FinishWrites(NodeId id);
  static void WriteEntries(Disk& disk, const std::vector<Entry>& entries);
  void InstallOnDisk(NodeId id, const State& state);
  void ServeReads(NodeId id, const std::vector<LogRead>& reads);
  void Apply(NodeId id, const std::vector<Entry>& entries);
  void MaybeSnapshot(NodeId id);
  void CheckSent(NodeId id, const Message& message);
  void CheckEntries(NodeId id, const std::vector<Entry>& entries);
  void CheckNode(NodeId id);
  void CheckLeader(NodeId id);
  void CheckDurableOnQuorum(NodeId id, Index index);
  bool HasDurably(NodeId id, Index index, Term term) const;
  void Trace(const Ready& ready);

  ClusterOptions options_;
  uint64_t random_;
  int64_t now_ = 0;
  uint64_t order_ = 0;
  std::map<NodeId, Node> nodes_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<std::pair<int64_t, uint64_t>, Packet> network_;
  uint64_t next_context_ = 1;

  std::string violation_;
  uint64_t trace_ = 0;
  uint64_t messages_ = 0;
  uint64_t payload_bytes_ = 0;
  uint64_t reads_answered_ = 0;
  uint64_t snapshots_installed_ = 0;
  uint64_t snapshots_sent_ = 0;
  uint64_t log_reads_ = 0;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::map<std::pair<Index, Term>, std::pair<Term, uint64_t>> matching_;
  std::map<Index, Committed> committed_;
  Index commit_max_ = 0;
};

}  // namespace slipway::raft::testing
