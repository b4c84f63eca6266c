// What a group keeps of things that are under way, and what it shares with the other groups of its
// node. On the loop only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/failpoint.h"
#include "base/limiter.h"
#include "base/metrics/metrics.h"
#include "eraft/node/jobs.h"
#include "eraft/node/node.h"
#include "eraft/store/install.h"
#include "eraft/wal/wal.h"
#include "raft/raft.h"

namespace slipway::eraft {

// What the groups of a node share.
struct NodeContext {
  NodeContext(const NodeWorld& w, NodeOptions o)
      : world(w),
        options(std::move(o)),
        jobs(std::make_shared<Jobs>(w.loop, w.pool)),
        frames_refused(w.metrics.AddCounter(
            "eraft_node_frames_refused_total",
            "Frames that were damaged, of another version, or of no group here.")),
        transfer_rate(options.snapshot_bytes_per_second, 4 << 20) {}

  absl::Duration now() const { return world.clock.Monotonic(); }
  absl::Duration election_timeout() const { return options.tick * options.raft.election_ticks; }
  // To another node; nothing after the first error of log or engine (E114).
  absl::Status Send(raft::NodeId peer, base::FrameClass frame_class, base::Bytes frame) {
    SLIPWAY_FAILPOINT("eraft.send");
    return failed.ok() ? world.transport.Send(peer, frame_class, std::move(frame)) : failed;
  }

  const NodeWorld world;
  NodeOptions options;  // the times change by Node::SetTimers, the rest never
  const std::shared_ptr<Jobs> jobs;
  base::Counter& frames_refused;
  std::unique_ptr<wal::Wal> wal;
  absl::AnyInvocable<void(absl::Status)> fail;  // the node can go on no more
  absl::Status failed;
  base::Limiter transfer_rate;
  int sending = 0;    // snapshots under way
  int receiving = 0;  // likewise
};

struct PendingProposal {
  uint64_t id = 0;
  raft::Slice command;
  absl::Duration deadline, begun;
  Node::ProposeDone done;
};
struct ProposalWaiter {
  uint64_t id = 0;  // of the proposal
  absl::Duration deadline, begun;
  Node::ProposeDone done;
};
// A Ready's write, or another record of the group, from when it was taken to when what waited for
// it is done. All go to the log in this order.
struct PendingWrite {
  uint64_t id = 0;
  wal::Batch record;                 // not of a Ready
  absl::AnyInvocable<void()> after;  // of `record`
  std::optional<raft::HardState> hard_state;
  std::vector<raft::Entry> entries;
  std::vector<raft::Message> then;
  bool sync = false;  // goes to the log at all
  bool appended = false;
  bool durable = false;
};
struct PendingRead {
  ReadOptions options;
  absl::Duration begun;
  absl::AnyInvocable<void(absl::StatusOr<raft::Index>)> done;
};
struct PendingQuery {
  Node::QueryWork work;
  Node::QueryDone done;
};
struct SentRound {  // of heartbeats
  uint64_t round = 0;
  absl::Duration sent;
};
struct PeerPromise {
  uint64_t round = 0;       // the newest that it answered
  absl::Duration promised;  // for how long it elects nobody then; zero: it did not say
};
// Its `context`, free in these kinds, then says in microseconds how long its sender elects nobody.
inline bool TellsPromise(const raft::Message& message) {
  return message.kind == raft::MessageKind::kHeartbeatReply ||
         (message.kind == raft::MessageKind::kAppendReply && !message.reject);
}
// Of a snapshot that takes the state's place.
struct PendingInstall {
  raft::SnapshotMark mark;
  SnapshotName name;
  InstallIntent intent;
  bool preparing = false;
  absl::Duration again = -absl::InfiniteDuration();  // not to go on before: there was no room
  bool prepared = false;                             // kv.new is whole
  bool begun = false;                                // the intent is on its way to the log
  bool unopened = false;                             // in its place, but there was no room to open
};

}  // namespace slipway::eraft
