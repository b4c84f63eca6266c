// Nodes on one simulated loop, each with a disk, pools and an engine of its own, and a network that
// delays, loses and parts. One thread, everything from one seed. Checks after each applied entry
// that all nodes apply the same. Only for tests.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/loop.h"
#include "base/sim/pool.h"
#include "base/sim/random.h"
#include "eraft/node/node.h"
#include "eraft/store/command.h"

namespace slipway::eraft {

inline constexpr GroupId kTestGroup = 7;
inline constexpr ShardId kTestShard = 3;

raft::Membership Voters(std::vector<raft::NodeId> ids);
Command PutOf(absl::string_view key, absl::string_view value);
Command AppendOf(absl::string_view key, absl::string_view value);

class TestCluster {
 public:
  struct Options {
    uint64_t seed = 1;
    int nodes = 3;
    uint64_t drop_percent = 0;
    absl::Duration delay_max = absl::Milliseconds(5);
    NodeOptions node = Small();  // id, cluster and groups are set
    // What each node has of its disk, and its engine there; absent: the disk, in memory.
    std::function<std::unique_ptr<base::Dir>(std::unique_ptr<base::Dir>)> wrap_disk;
    std::function<std::unique_ptr<EngineHome>(base::Dir&)> make_home;
  };
  // Small files, fast ticks.
  static NodeOptions Small();

  explicit TestCluster(Options options);
  ~TestCluster();

  // ---- Time ----
  bool Step();  // one job or task; false: none is left
  void RunFor(absl::Duration duration);
  // Whether `done` came true within `limit`.
  bool RunUntil(const std::function<bool()>& done, absl::Duration limit = absl::Seconds(60));
  absl::Duration now() { return clock_.Monotonic(); }
  absl::Duration In(absl::Duration duration) { return now() + duration; }
  uint64_t Random(uint64_t bound) { return choices_.Below(bound); }

  // ---- Nodes ----
  Node& node(raft::NodeId id) { return *machines_.at(id)->node; }
  bool up(raft::NodeId id) const { return machines_.at(id)->node != nullptr; }
  base::sim::Files& files(raft::NodeId id) { return machines_.at(id)->files; }
  base::Metrics& metrics(raft::NodeId id) { return machines_.at(id)->metrics; }
  raft::Status raft(raft::NodeId id);
  KvStatus kv(raft::NodeId id);
  // A machine with an empty disk; it starts with `members`.
  void Add(raft::NodeId id, raft::Membership members);
  // The process ends at once. What was not synced is lost as `loss` says.
  void Crash(raft::NodeId id, base::sim::Loss loss = base::sim::Loss::kSeeded);
  void Start(raft::NodeId id);
  void Wipe(raft::NodeId id, raft::Membership members);  // of a machine that is down
  // What it is told at its next start; its disk stays.
  void Tell(raft::NodeId id, raft::Membership members) {
    machines_.at(id)->members = std::move(members);
  }
  // The error that OnFatal told; OK: none.
  absl::Status fatal(raft::NodeId id) const { return machines_.at(id)->fatal; }
  // Its jobs wait (slow disk) until it is allowed again.
  void Stall(raft::NodeId id, bool stalled) { machines_.at(id)->stalled = stalled; }
  // Likewise, but for those of its log.
  void StallEngine(raft::NodeId id, bool stalled) { machines_.at(id)->engine_stalled = stalled; }

  // The running node that leads in the highest term and that `reachable` nodes agree on; kNoNode.
  raft::NodeId Leader();
  raft::NodeId AwaitLeader();
  // Elects `id`.
  bool MakeLeader(raft::NodeId id);
  bool AwaitApplied(absl::Duration limit = absl::Seconds(60));  // all up have applied the same

  // ---- Network ----
  void Cut(raft::NodeId from, raft::NodeId to, bool cut);  // one direction
  void Isolate(raft::NodeId id, bool isolated);
  void HealAll();
  Options& options() { return options_; }
  // Longer than all others, for frames from one node.
  void Delay(raft::NodeId from, absl::Duration delay) { delays_[from] = delay; }
  uint64_t frames() const { return frames_; }
  // Sees every frame; false: it is lost.
  std::function<bool(raft::NodeId from, raft::NodeId to, base::BytesView frame)> filter;

  // ---- Calls, answered in simulated time ----
  struct Reply {
    bool done = false;
    int calls = 0;
    absl::StatusOr<Outcome> outcome = absl::UnknownError("not answered");
  };
  std::shared_ptr<Reply> Propose(raft::NodeId id, const Command& command,
                                 absl::Duration limit = absl::Seconds(10));
  // Waits for the outcome.
  absl::StatusOr<Outcome> Run(raft::NodeId id, const Command& command);
  // Through whoever leads, again until it is executed. Needs a session if it may not be doubled.
  bool RunSomewhere(const Command& command, absl::Duration limit = absl::Seconds(60));
  struct Value {
    bool done = false;
    absl::StatusOr<std::optional<std::string>> value = absl::UnknownError("not answered");
  };
  std::shared_ptr<Value> StartGet(raft::NodeId id, absl::string_view key, ReadOptions options);
  // "-": not there; else the value, or the error's text.
  std::string Get(raft::NodeId id, absl::string_view key, ReadMode mode = ReadMode::kLinearizable);
  std::string LogicalState(raft::NodeId id);  // of all shards: keys, bytes, digest

 private:
  class Wire;
  struct Machine : NodeObserver {
    Machine(TestCluster& c, raft::NodeId i, uint64_t seed);
    void OnApplied(GroupId group, absl::Span<const raft::Entry> entries) override;
    void OnInstalled(GroupId group, const raft::SnapshotMark& mark) override;
    TestCluster& cluster;
    const raft::NodeId id;
    raft::Membership members;
    base::sim::Files files;
    base::sim::Random random;
    base::Metrics metrics;
    bool stalled = false, engine_stalled = false;
    absl::Status fatal;
    raft::Index applied = 0;
    uint64_t starts = 0;
    // Of one life, torn down in this order.
    std::unique_ptr<base::sim::Pool> pool, wal_pool;
    std::unique_ptr<base::Dir> dir;
    std::unique_ptr<EngineHome> home;
    std::unique_ptr<Wire> wire;
    std::unique_ptr<Node> node;
  };
  bool RunJob();
  void Deliver(raft::NodeId from, raft::NodeId to, base::Bytes frame);

  Options options_;
  base::sim::Clock clock_;
  base::sim::Stream choices_;
  base::sim::Loop loop_;
  std::map<raft::NodeId, std::unique_ptr<Machine>> machines_;
  std::set<std::pair<raft::NodeId, raft::NodeId>> cut_;
  std::map<raft::NodeId, absl::Duration> delays_;
  uint64_t frames_ = 0;
  std::map<raft::Index, std::pair<raft::Term, std::string>> history_;  // what was applied where
};

}  // namespace slipway::eraft
