// The group that a kvserver serves, for callers on any thread: hands what they want to the node on
// its loop, and shows them what the node looked like a moment ago. Knows the members' addresses,
// which the log keeps (E170).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/sync/mutex.h"
#include "eraft/node/cluster.h"
#include "eraft/node/handover.h"
#include "eraft/node/node.h"
#include "eraft/node/readmission.h"
#include "eraft/service/fair_clock.h"
#include "eraft/service/metrics.h"
#include "eraft/store/command.h"
#include "eraft/store/limits.h"

namespace slipway::eraft {

// What was true a moment ago.
struct ReplicaView {
  raft::NodeId self = raft::kNoNode;
  GroupStatus status;
  Addresses addresses;
  Readmissions readmissions;
  bool rows_read = false;   // the two are those of `system`
  ShardStats system;        // of the shard with the addresses
  absl::Duration taken;     // monotonic
  absl::Duration log_wait;  // of the oldest write that the log has not answered
  bool log_full = false;    // it waits for room on the disk

  bool leads() const { return status.raft.role == raft::Role::kLeader; }
  std::string AddressOf(raft::NodeId id) const;  // empty: not known
  std::string leader_address() const { return AddressOf(status.raft.leader); }
  uint64_t lag() const {
    return status.raft.commit - std::min(status.raft.commit, status.raft.applied);
  }
};

// What the legacy protocol and people call a role.
absl::string_view RoleName(raft::Role role);

// Thread-safe but where it says otherwise.
class Replica {
 public:
  struct Options {
    raft::NodeId self = raft::kNoNode;
    Addresses addresses;  // until the log tells others
    std::string given;    // the members of --cluster, for a warning
    SessionLimits sessions;
    int inflight_max = 20'000;
    uint64_t value_bytes_max = kValueBytesMax;
  };
  Replica(base::Loop& loop, base::Clock& clock, ServiceMetrics& metrics, Options options);

  // ---- On the loop ----
  // `node` is there until Detach, after which everything is refused.
  void Attach(Node& node);
  void Detach() { node_ = nullptr; }
  // Changes of the members that are under way here; who begins or ends one counts it.
  int changes = 0;
  // What the transport knows of the peers now; empty: nothing.
  std::function<std::vector<PeerSight>()> sights = [] { return std::vector<PeerSight>(); };
  // The incarnation of a peer's data as it is remembered here (E123).
  std::function<std::optional<uint64_t>(raft::NodeId)> data_of = [](raft::NodeId) {
    return std::optional<uint64_t>();
  };
  Node* node() { return node_; }
  // Renews the view, tells of changes, and does what a new leader has to do.
  void Look();
  // Proposes the addresses of members that are known from the configuration; what is in the log
  // already stays. For the leader.
  void SeedAddresses();
  // Called on the loop when the log has told other addresses than before.
  void OnAddresses(std::function<void(const Addresses&)> handler) {
    on_addresses_ = std::move(handler);
  }
  // Likewise of the members that lost their data (E416).
  void OnReadmissions(std::function<void(const Readmissions&)> handler) {
    on_readmissions_ = std::move(handler);
  }

  // ---- From any thread ----
  std::shared_ptr<const ReplicaView> view() const;
  // Runs `work` on the loop with the node, or with null when there is none any more.
  void Post(absl::AnyInvocable<void(Node*)> work);

  // Room for `count` commands; false: the server has as many as it may. Leave gives it back.
  bool Enter(uint64_t count = 1);
  void Leave(uint64_t count = 1);
  uint64_t inflight() const { return inflight_.load(std::memory_order_relaxed); }

  // Why a write is not to be proposed now, cheap. OK, Unavailable (draining), ResourceExhausted.
  // As all errors here, it says by FateOf that nothing was executed.
  // What `frees` room is refused for want of it on the disk only: under QUOTA and MEMORY it is the
  // way out.
  absl::Status AdmitWrite(bool frees = false) const;
  // Likewise of a read. OK, Unavailable (about to stop).
  absl::Status AdmitRead() const;
  // A command in the bytes of the log, its time set. InvalidArgument naming the limit (E153).
  absl::StatusOr<base::Bytes> Prepare(Command command) const;
  // The outcome comes on the loop.
  void Propose(base::Bytes command, absl::Duration deadline, Node::ProposeDone done);
  void Query(const ReadOptions& options, Node::QueryWork work, Node::QueryDone done);

  void SetAlarm(Alarm alarm, bool on);
  // By how much the clock of each peer that is heard from is ahead of the own one, and whether
  // there are peers at all.
  void NoteClocks(std::vector<absl::Duration> peers, bool has_peers);
  bool alarm(Alarm alarm) const;
  bool alarmed() const { return alarms_.load(std::memory_order_relaxed) != 0; }
  // What all members understand (E125): commands that need more are refused by Prepare.
  void SetLevel(uint32_t level) { level_.store(level, std::memory_order_relaxed); }
  uint32_t level() const { return level_.load(std::memory_order_relaxed); }
  // From now on nothing new is begun here.
  void SetDraining() { draining_.store(true); }
  bool draining() const { return draining_.load(); }
  // Likewise of reads, too: the process ends.
  void SetStopping() { stopping_.store(true); }

  base::Loop& loop() { return loop_; }
  absl::Duration now() const { return clock_.Monotonic(); }
  absl::Time wall() const { return clock_.Wall(); }
  const Options& options() const { return options_; }
  ServiceMetrics& metrics() { return metrics_; }

 private:
  void NoteChanges(const ReplicaView& before, const ReplicaView& now);
  void LeadOnce(const ReplicaView& view);
  void ForgetStrangers(const ReplicaView& view);
  // Of the system's shard: what its rows say of the members.
  struct Rows {
    Addresses addresses;
    Readmissions readmissions;
  };
  void ReadRows(const StateDigest& digest);
  void TakeRows(const Rows& found);

  base::Loop& loop_;
  base::Clock& clock_;
  ServiceMetrics& metrics_;
  const Options options_;
  std::atomic<uint64_t> inflight_{0};
  std::atomic<uint32_t> alarms_{0};
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};
  FairClock fair_clock_;
  std::atomic<bool> clock_ahead_{false};
  std::atomic<uint32_t> level_{1};

  // Loop-only.
  Node* node_ = nullptr;
  std::function<void(const Addresses&)> on_addresses_;
  std::function<void(const Readmissions&)> on_readmissions_;
  Addresses addresses_;
  Readmissions readmissions_;
  StateDigest read_digest_;  // of the system shard as its rows were read
  bool reading_ = false;
  int seeding_ = 0, forgetting_ = 0;  // proposals under way
  bool addresses_read_ = false;       // addresses_ are those of the log
  bool unseeded_ = true;              // a member has no row, or none were read
  absl::Duration forget_after_ = -absl::InfiniteDuration();
  raft::Term limits_told_in_ = 0;  // the term in which the session limits were proposed

  mutable base::Mutex mutex_;
  std::shared_ptr<const ReplicaView> view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft
