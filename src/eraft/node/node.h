// One process's part in its Raft groups: drives raft::Raft with the log, the state machine, the
// network and time, all on one loop; what blocks runs on a pool. The same code runs in simulation
// and in production.
//
//   SLIPWAY_ASSIGN_OR_RETURN(auto node, Node::Open(world, options));
//   node->Propose(1, EncodeCommand(command), deadline, [](absl::StatusOr<Outcome> outcome) { … });
//
// All calls on the loop's thread (the destructor too); callbacks come there, never from within the
// call that was given them. Deadlines are of World::clock.Monotonic().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/loop.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/transport.h"
#include "eraft/store/engine.h"
#include "eraft/store/kv_machine.h"
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

enum class ReadMode : uint8_t {
  kLinearizable,  // a quorum round, shared by all reads that wait for it; also on followers (E140)
  kLease,         // of a leader whose lease holds, else as kLinearizable (E141)
  kSerializable,  // what is applied here, if a leader was heard from lately (E142)
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

// What became of a command whose answer is an error (E144). kUnknown: it may be executed, now or
// later; with a session, the same command may be sent again.
enum class Fate : uint8_t { kNotExecuted, kUnknown };
// `status`: an error that Propose gave.
Fate FateOf(const absl::Status& status);
// `status` as such an error. The text stays.
absl::Status WithFate(const absl::Status& status, Fate fate);

struct ReadOptions {
  ReadMode mode = ReadMode::kLinearizable;
  absl::Duration deadline = absl::InfiniteDuration();
  absl::Duration staleness_max = absl::InfiniteDuration();  // kSerializable
};

struct GroupStatus {
  raft::Status raft;
  KvStatus kv;
  raft::SnapshotMark log_start;  // the log on disk begins after it
  raft::Index snapshot = 0;      // newest on disk; 0: none
  bool installing = false;
  // Why the last snapshot that was offered here could not be taken; empty: it could.
  std::string snapshot_error;
  // GroupOptions named members, and they were not those in force when the group was opened: the
  // stored ones, which raft.membership told then, counted (E170).
  bool members_overruled = false;
  bool fenced = false;           // SetFenced
  uint64_t unapplied_bytes = 0;  // of entries that are committed and not applied
  uint64_t proposals = 0;        // that wait for their outcome
  uint64_t reads = 0;
  int snapshots_sending = 0;
  absl::Duration lease_left;  // zero: none
};

class Node {
 public:
  // Recovers what `world.dir` holds, or begins; then takes part. Blocks, and runs queued jobs of
  // the pools while it waits. FailedPrecondition: the directory is another node's, cluster's or
  // engine's, or a process has it; DataLoss: it is damaged (`recovery`, may be null, says where);
  // InvalidArgument: the options; ResourceExhausted: the disk has no room to begin.
  static absl::StatusOr<std::unique_ptr<Node>> Open(const NodeWorld& world, NodeOptions options,
                                                    wal::WalRecovery* recovery = nullptr);
  // As Stop, without the orderly end of the log. Waits for jobs that run.
  ~Node();

  // Called once, when the node can go on no more (E114: its log or an engine failed). From then on
  // it says nothing to anybody and every call fails; the owner ends the process.
  void OnFatal(std::function<void(absl::Status)> handler);

  // The outcome once `command` is applied here. Errors (FateOf tells what they mean): Unavailable
  // (not the leader, or no longer), DeadlineExceeded, ResourceExhausted (too much under way or not
  // yet applied, or the disk is full), InvalidArgument (too large), NotFound (no such group). A
  // command whose deadline has passed before it is in the log is dropped unexecuted (E172).
  using ProposeDone = absl::AnyInvocable<void(absl::StatusOr<Outcome>)>;
  void Propose(GroupId group, base::Bytes command, absl::Duration deadline, ProposeDone done);

  // OK once the state machine shows all that the mode promises, with the index up to which it is
  // applied at least. Errors: DeadlineExceeded, Unavailable (the node stops), FailedPrecondition
  // (kSerializable: no leader was heard from within staleness_max), NotFound.
  using ReadDone = absl::AnyInvocable<void(absl::StatusOr<raft::Index>)>;
  void Read(GroupId group, const ReadOptions& options, ReadDone done);

  // The value of a key, read after such a point.
  using GetDone = absl::AnyInvocable<void(absl::StatusOr<std::optional<std::string>>)>;
  void Get(GroupId group, ShardId shard, std::string key, const ReadOptions& options, GetDone done);

  // Runs `work` on the pool with the state machine, after such a point; `done` gets what it
  // returned, or why it did not run. For reads of several keys.
  using QueryWork = absl::AnyInvocable<absl::Status(KvMachine&)>;
  using QueryDone = absl::AnyInvocable<void(absl::Status)>;
  void Query(GroupId group, const ReadOptions& options, QueryWork work, QueryDone done);

  // As raft::Raft's. The change is done when GetStatus shows it.
  absl::Status ProposeMembership(GroupId group, const raft::Membership& target);
  absl::Status TransferLeader(GroupId group, raft::NodeId peer);
  // Campaign refuses with FailedPrecondition, too, where a lease may rest on this node (E141).
  absl::Status Campaign(GroupId group);
  // Takes a snapshot now, whatever the thresholds say. FailedPrecondition: one is being taken.
  absl::Status TakeSnapshot(GroupId group);

  // The node `peer` is dead or cannot be reached: groups that it led and that sleep wake, and elect
  // another; of those that it is a member of the leader wakes (E108). To be said again while it is
  // so; costs nothing where nothing sleeps.
  void OnPeerSilent(raft::NodeId peer);
  // Other times for all groups from now on, and none for those that read by leases: these rest on
  // times that are the same everywhere (E31). InvalidArgument: the election timeout is below five
  // heartbeats.
  struct Timers {
    absl::Duration tick;
    int heartbeat_ticks = 1, election_ticks = 10, hibernate_ticks = 0;
  };
  absl::Status SetTimers(const Timers& timers);

  // This node's data were lost, others know it with more than it has (E123): from now on it neither
  // votes nor campaigns, and only takes what a leader sends. A group of it whose log tells that it
  // has no vote, or that a snapshot has replaced, is as any other again.
  void SetFenced(bool fenced);

  absl::StatusOr<GroupStatus> GetStatus(GroupId group) const;
  // The state machine of now: an install replaces it. Null: no such group, or it is being replaced.
  std::shared_ptr<KvMachine> machine(GroupId group) const;
  bool failed() const;
  // Of the data directory: a random number, never 0, of when it was made. A node whose disk was
  // wiped has another one (E123).
  uint64_t incarnation() const;
  // How long the oldest write that the log has not answered has waited (E28); zero: none does.
  absl::Duration LogWait() const;
  // Whether the log waits for room on the disk (E167).
  bool LogIsFull() const;

  // Ends: what waits is answered, engines and log are closed in order. Blocks, as Open does.
  absl::Status Stop();

 private:
  class Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::eraft
