// What a node is given: the world around it, its groups, and how it works.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/loop.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/transport.h"
#include "eraft/store/engine.h"
#include "eraft/store/keys.h"
#include "eraft/wal/wal.h"
#include "raft/raft.h"

namespace slipway::eraft {

// Whoever wants to see inside, such as a simulator; on the loop. What it is shown lives for the
// call only.
class NodeObserver {
 public:
  virtual ~NodeObserver() = default;
  virtual void OnSend(GroupId /*group*/, const raft::Message& /*message*/) {}
  // Term and vote that the log holds durably from now on.
  virtual void OnHardState(GroupId /*group*/, const raft::HardState& /*state*/) {}
  // Applied, in order; what a restart passes over does not come again.
  virtual void OnApplied(GroupId /*group*/, absl::Span<const raft::Entry> /*entries*/) {}
  virtual void OnInstalled(GroupId /*group*/, const raft::SnapshotMark& /*mark*/) {}
};

// Everything is borrowed and outlives the node, and every job that it gave to the pools: drop those
// that have not run, or run them, before the rest goes.
struct NodeWorld {
  base::Loop& loop;
  base::Clock& clock;
  base::Pool& pool;      // state machines, snapshots, reads: jobs that block for long
  base::Pool& wal_pool;  // the log's writer; one thread of its own, in simulation any
  base::Random& random;
  base::Dir& dir;      // of the node: LOCK, IDENTITY, HARD, wal/
  EngineHome& engine;  // of a group that has no place of its own; beneath `dir`
  base::Transport& transport;
  base::Metrics& metrics;
  NodeObserver* observer = nullptr;
};

// Where a group keeps kv/ and snap/, which it shares with no other: an install replaces them.
struct GroupPlace {
  base::Dir* dir = nullptr;
  EngineHome* engine = nullptr;  // beneath `dir`
};

struct GroupOptions {
  GroupId id = 0;
  // Of a group that begins; empty: this node joins one and learns its members from the leader.
  // Believed at the group's first start on this disk only; from then on what is stored counts, and
  // GroupStatus::members_overruled tells a difference (E170).
  raft::Membership members;
  std::optional<GroupPlace> place;  // absent: the node's; for one group at most
};

struct NodeOptions {
  raft::NodeId id = raft::kNoNode;
  wal::ClusterId cluster{};
  std::vector<GroupOptions> groups;
  absl::Duration tick = absl::Milliseconds(100);  // heartbeat_ticks and election_ticks count these
  raft::Options raft;                             // `id` and `seed` are set by the node
  double clock_drift_max = 0.05;                  // between any two nodes' clocks (E141)
  uint64_t wal_segment_bytes = wal::kSegmentBytesDefault;
  absl::Duration wal_linger;  // as wal::WalOptions::linger
  // A snapshot is taken after so much applied since the last (E32) …
  uint64_t snapshot_entries = 1'000'000;
  uint64_t snapshot_bytes = uint64_t{256} << 20;
  // … and of the log so many entries stay below it, for followers that are a little slow.
  uint64_t log_keep_entries = 10'000;
  double snapshot_bytes_per_second = 64 << 20;  // sent, all transfers together; 0: no limit
  int snapshot_transfers_max = 2;               // out of this node at a time (E161); and into it
  uint64_t proposals_max = 20'000;              // under way, each group (E171)
  // Entries that are committed and not applied: with more a leader refuses commands (E171) …
  uint64_t apply_lag_max = 8'192;
  // … and a follower takes no further ones; nor does either with more than so many bytes of them.
  uint64_t unapplied_entries_max = 65'536;
  uint64_t unapplied_bytes_max = 64 << 20;
};

}  // namespace slipway::eraft
