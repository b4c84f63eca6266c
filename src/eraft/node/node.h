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
#include "base/bytes.h"
#include "eraft/node/node_options.h"
#include "eraft/store/kv_machine.h"
#include "eraft/wal/wal.h"
#include "raft/raft.h"

namespace slipway::eraft {

// What became of a command whose answer is an error (E144). kUnknown: it may be executed, now or
// later; with a session, the same command may be sent again.
enum class Fate : uint8_t { kNotExecuted, kUnknown };
// `status`: an error that Propose gave.
Fate FateOf(const absl::Status& status);
// `status` as such an error. The text stays.
absl::Status WithFate(const absl::Status& status, Fate fate);

enum class ReadMode : uint8_t {
  kLinearizable,  // a quorum round, shared by all reads that wait for it; also on followers (E140)
  kLease,         // of a leader whose lease holds, else as kLinearizable (E141)
  kSerializable,  // what is applied here, if a leader was heard from lately (E142)
};

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
  // Why the last snapshot that could not be taken or installed here could not; empty: none is
  // needed.
  std::string snapshot_error;
  // GroupOptions named members, and they were not those in force when the group was opened: the
  // stored ones, which raft.membership told then, counted (E170).
  bool members_overruled = false;
  bool fenced = false;  // SetFenced
  // It began as the only voter, by its options, and still is.
  bool alone = false;
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
