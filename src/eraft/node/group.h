// One group of a node. The themes have a file each: group.cc (the Ready loop and the log), apply.cc
// (state machine and outcomes), reads.cc, snapshots.cc (taking, truncation, install);
// snapshot_sender.h and snapshot_receiver.h carry snapshots between nodes. On the loop only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/limiter.h"
#include "eraft/node/codec.h"
#include "eraft/node/group_store.h"
#include "eraft/node/jobs.h"
#include "eraft/node/metrics.h"
#include "eraft/node/node.h"
#include "eraft/node/snapshot_receiver.h"
#include "eraft/node/snapshot_sender.h"

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

  const NodeWorld world;
  const NodeOptions options;
  const std::shared_ptr<Jobs> jobs;
  base::Counter& frames_refused;
  std::unique_ptr<wal::Wal> wal;
  absl::AnyInvocable<void(absl::Status)> fail;  // the node can go on no more
  absl::Status failed;
  base::Limiter transfer_rate;
  int sending = 0;    // snapshots under way
  int receiving = 0;  // likewise
};

class Group {
 public:
  // Recovers the group: completes or discards an install, opens engine and state machine, and takes
  // the log up. Blocks.
  static absl::StatusOr<std::unique_ptr<Group>> Open(NodeContext& context,
                                                     const GroupOptions& options,
                                                     const GroupPlace& place);
  ~Group();

  // As Node's. `done` of the internal ones is called from anywhere on the loop, also at once.
  using ReadDone = absl::AnyInvocable<void(absl::StatusOr<raft::Index>)>;
  void Propose(base::Bytes command, absl::Duration deadline, Node::ProposeDone done);
  void Read(const ReadOptions& options, ReadDone done);
  void Get(ShardId shard, std::string key, const ReadOptions& options, Node::GetDone done);
  absl::Status ProposeMembership(const raft::Membership& target);
  absl::Status TransferLeader(raft::NodeId peer);
  absl::Status Campaign();
  absl::Status TakeSnapshot();
  GroupStatus GetStatus() const;
  std::shared_ptr<KvMachine> machine() const { return store_.machine; }

  void Tick(bool log_stalled);
  void OnFrame(raft::NodeId peer, FrameBody body);
  // Answers everything with errors; nothing goes on.
  void Fail(const absl::Status& status);
  absl::Status Close();  // no job runs any more

  // ---- For the transfers of snapshots ----
  NodeContext& context() { return context_; }
  raft::GroupId id() const { return id_; }
  base::Dir& dir() { return *place_.dir; }
  EngineKind engine_kind() const { return place_.engine->kind(); }
  raft::Raft& raft() { return *raft_; }
  GroupMetrics& metrics() { return metrics_; }
  bool installing() const { return install_.has_value(); }
  raft::NodeId node() const { return context_.options.id; }
  // The Raft was told something; goes on with what follows, soon.
  void SchedulePump();
  // The newest snapshot on disk, if any.
  const std::optional<SnapshotName>& snapshot() const { return snapshot_; }
  void OnSenderDone(raft::NodeId peer, raft::Index index, bool ok);
  // A snapshot lies whole under its name, and `message` is what the Raft is to be told.
  void OnReceived(const SnapshotName& name, raft::Message message);

 private:
  struct Proposal {
    uint64_t id = 0;
    raft::Slice command;
    absl::Duration deadline, begun;
    Node::ProposeDone done;
  };
  struct Waiter {
    uint64_t id = 0;  // of the proposal
    absl::Duration deadline, begun;
    Node::ProposeDone done;
  };
  // A Ready's write, or another record of the group, from when it was taken to when what waited for
  // it is done. All go to the log in this order.
  struct Write {
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
    ReadDone done;
  };
  struct PendingGet {
    ShardId shard = 0;
    std::string key;
    Node::GetDone done;
  };
  struct Round {  // of heartbeats
    uint64_t round = 0;
    absl::Duration sent;
  };
  // Of a snapshot that takes the state's place.
  struct Install {
    raft::SnapshotMark mark;
    SnapshotName name;
    InstallIntent intent;
    bool prepared = false;  // kv.new is whole
    bool begun = false;     // the intent is on its way to the log
  };

  Group(NodeContext& context, raft::GroupId id, const raft::Membership& members,
        const GroupPlace& place);
  absl::Status Recover();
  absl::Status FinishInstall(const wal::SnapshotIntent& open);
  absl::Status StartRaft();
  absl::Status AppendAndWait(wal::Batch batch);

  // group.cc: the Ready loop
  void Pump();
  void HandleReady();
  void Send(const raft::Message& message);
  void AppendRecord(wal::Batch record, absl::AnyInvocable<void()> after);
  void AppendWrites();
  wal::Batch BatchOf(const Write& write) const;
  void OnWritten(uint64_t id, const absl::Status& status);
  void FinishWrites();
  void ReadLog(const raft::LogRead& read);
  void NoteRole();
  void Fatal(const absl::Status& status) { context_.fail(status); }

  // apply.cc
  void FlushProposals();
  void Append(std::vector<Proposal> proposals);
  void FailWaiters(const absl::Status& status);
  void ExpireProposals();
  void StartApply();
  void OnApplied(const std::vector<raft::Entry>& entries, std::vector<Outcome> outcomes);
  void AnswerWaiters(const std::vector<raft::Entry>& entries, const std::vector<Outcome>& outcomes);
  void Refuse(Node::ProposeDone done, const absl::Status& status, Fate fate);

  // reads.cc
  void FlushReads();
  void OnReadStates();
  void AnswerReads();
  void ExpireReads();
  void FailReads(const absl::Status& status);
  absl::Status CheckStaleness(absl::Duration staleness_max) const;
  void StartGet(PendingGet get);
  void StartGets();
  absl::Duration LeaseLeft() const;
  void NoteRound(const raft::Message& heartbeat);
  void NoteConfirmed();

  // snapshots.cc
  void MaybeTakeSnapshot();
  void StartSnapshot();
  void OnSnapshotTaken(const absl::StatusOr<Manifest>& manifest, raft::Index durable);
  void TruncateLog(raft::Index snapshot, raft::Index durable);
  void PruneSnapshots();
  void SendSnapshots();
  void StartInstall(const raft::SnapshotMark& mark);
  void ContinueInstall();
  void CommitPrepared();
  void OnInstalled(const absl::StatusOr<GroupStore>& store);
  void GiveUpInstall(const absl::Status& status);

  NodeContext& context_;
  const raft::GroupId id_;
  const raft::Membership members_;
  const GroupPlace place_;
  GroupMetrics metrics_;
  GroupStore store_;
  std::unique_ptr<raft::Raft> raft_;
  raft::Ready ready_;
  bool pump_scheduled_ = false;
  raft::Role role_ = raft::Role::kFollower;
  raft::Term term_ = 0;
  raft::NodeId leader_ = raft::kNoNode;
  std::vector<raft::NodeId> unreachable_;  // told at the next tick

  std::deque<Write> writes_;
  uint64_t next_write_ = 1;
  std::optional<raft::HardState> commit_hint_;  // goes with the next write that is needed anyway
  raft::SnapshotMark log_start_;

  std::deque<Proposal> incoming_;
  uint64_t next_proposal_ = 1;
  std::map<std::pair<raft::Index, raft::Term>, Waiter> waiters_;

  std::deque<raft::Entry> to_apply_;
  raft::Index applied_ = 0;
  bool applying_ = false;
  int engine_jobs_ = 0;            // others that use the store
  uint64_t applied_bytes_ = 0;     // since the last snapshot
  raft::Index snapshot_from_ = 0;  // the last snapshot, or where counting begins

  std::vector<PendingRead> new_reads_;
  std::map<uint64_t, std::vector<PendingRead>> asked_reads_;  // by context
  std::vector<PendingRead> again_reads_;                      // at the next tick
  std::multimap<raft::Index, PendingRead> waiting_reads_;     // for the index to be applied
  std::deque<PendingGet> held_gets_;                          // while the state is replaced
  uint64_t next_context_ = 1;
  absl::Duration contact_ = -absl::InfiniteDuration();  // the leader's last word
  std::deque<Round> rounds_;
  absl::Duration lease_from_ = -absl::InfiniteDuration();
  raft::Term lease_term_ = 0;
  raft::Term no_lease_term_ = 0;  // the office was offered to another

  bool taking_snapshot_ = false;
  absl::Duration snapshot_retry_ = -absl::InfiniteDuration();
  std::optional<SnapshotName> snapshot_;
  std::optional<Install> install_;
  std::map<raft::NodeId, std::unique_ptr<SnapshotSender>> senders_;
  std::vector<std::unique_ptr<SnapshotSender>> done_senders_;  // may be on the stack
  SnapshotReceiver receiver_;
};

// `status` as an error of Propose. The text stays.
absl::Status WithFate(const absl::Status& status, Fate fate);

}  // namespace slipway::eraft
