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
#include "absl/types/span.h"
#include "eraft/node/codec.h"
#include "eraft/node/group_parts.h"
#include "eraft/node/group_store.h"
#include "eraft/node/metrics.h"
#include "eraft/node/node.h"
#include "eraft/node/snapshot_receiver.h"
#include "eraft/node/snapshot_sender.h"

namespace slipway::eraft {

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
  void Query(const ReadOptions& options, Node::QueryWork work, Node::QueryDone done);
  absl::Status ProposeMembership(const raft::Membership& target);
  absl::Status TransferLeader(raft::NodeId peer);
  absl::Status Campaign();
  void SetFenced(bool fenced);
  absl::Status SetTimers(const Node::Timers& timers);  // before the node's options have them
  absl::Status TakeSnapshot();
  GroupStatus GetStatus() const;
  std::shared_ptr<KvMachine> machine() const { return store_.machine; }

  void Tick(bool log_stalled);
  void OnPeerSilent(raft::NodeId peer);
  void OnFrame(raft::NodeId peer, FrameBody body);
  // Answers everything with errors; nothing goes on.
  void Fail(const absl::Status& status);
  // The end is near: no job waits for room on the disk any more.
  void StopWaiting() {
    if (store_.engine != nullptr) store_.engine->StopWaiting();
  }
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
  Group(NodeContext& context, raft::GroupId id, const raft::Membership& members,
        const GroupPlace& place);
  absl::Status Recover();
  absl::Status FinishInstall(const wal::SnapshotIntent& open);
  absl::Status SettleMembers(const std::optional<wal::GroupView>& view);
  bool IsAlone(const raft::Membership& members) const;
  absl::Status StartRaft();
  absl::Status AppendAndWait(wal::Batch batch);

  // group.cc: the Ready loop
  void Pump();
  void HandleReady();
  void Send(const raft::Message& message);
  void AppendRecord(wal::Batch record, absl::AnyInvocable<void()> after);
  void AppendWrites();
  wal::Batch BatchOf(const PendingWrite& write) const;
  void OnWritten(uint64_t id, const absl::Status& status);
  void FinishWrites();
  void ReadLog(const raft::LogRead& read);
  void NoteRole();
  void LeaveFence(absl::Span<const std::pair<raft::Index, raft::Term>> without_vote);
  std::vector<std::pair<raft::Index, raft::Term>> WithoutVote(const raft::Message& message) const;
  void Fatal(const absl::Status& status) { context_.fail(status); }

  // apply.cc
  void FlushProposals();
  void Append(std::vector<PendingProposal> proposals);
  void FailWaiters(const absl::Status& status);
  void ExpireProposals();
  absl::Status CheckLag() const;
  bool IsFull() const;
  void StartApply();
  void HoldApply(std::vector<raft::Entry>& entries);
  void OnApplied(const std::vector<raft::Entry>& entries, const std::vector<Outcome>& outcomes);
  void AnswerWaiters(const std::vector<raft::Entry>& entries, const std::vector<Outcome>& outcomes);
  void Refuse(Node::ProposeDone done, const absl::Status& status, Fate fate);

  // reads.cc
  void FlushReads();
  void OnReadStates();
  void AnswerReads();
  void ExpireReads();
  void FailReads(const absl::Status& status);
  absl::Status CheckStaleness(absl::Duration staleness_max) const;
  void StartQuery(PendingQuery query);
  void StartQueries();
  absl::Duration Promise() const;
  void NotePromise(raft::NodeId peer, const raft::Message& message);
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
  void CheckSnapshot(const SnapshotName& name);
  void StartInstall(const raft::SnapshotMark& mark);
  void PrepareNext();
  void ContinueInstall();
  void CommitPrepared();
  void OnInstalled(const absl::StatusOr<GroupStore>& store);
  void GiveUpInstall(const absl::Status& status);
  void InstallLater();

  NodeContext& context_;
  const raft::GroupId id_;
  raft::Membership members_;  // with which the group began: of the options, until the log tells
  bool members_overruled_ = false;
  bool fenced_ = false;
  bool began_alone_ = false;  // with members that it was given, itself the only voter
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

  std::deque<PendingWrite> writes_;
  uint64_t next_write_ = 1;
  std::optional<raft::HardState> commit_hint_;  // goes with the next write that is needed anyway
  raft::SnapshotMark log_start_;

  std::deque<PendingProposal> incoming_;
  uint64_t next_proposal_ = 1;
  std::map<std::pair<raft::Index, raft::Term>, ProposalWaiter> waiters_;

  std::deque<raft::Entry> to_apply_;
  uint64_t unapplied_bytes_ = 0;  // of `to_apply_` and of what is being applied
  raft::Index applied_ = 0;
  bool applying_ = false;
  absl::Duration apply_again_ = -absl::InfiniteDuration();  // not before: the engine has no room
  int engine_jobs_ = 0;                                     // others that use the store
  uint64_t applied_bytes_ = 0;                              // since the last snapshot
  raft::Index snapshot_from_ = 0;  // the last snapshot, or where counting begins

  std::vector<PendingRead> new_reads_;
  std::map<uint64_t, std::vector<PendingRead>> asked_reads_;  // by context
  std::vector<PendingRead> again_reads_;                      // at the next tick
  std::multimap<raft::Index, PendingRead> waiting_reads_;     // for the index to be applied
  std::deque<PendingQuery> held_queries_;                     // while the state is replaced
  // Handed to the pool and not answered yet.
  std::map<uint64_t, std::shared_ptr<PendingQuery>> started_queries_;
  uint64_t next_query_ = 1;
  uint64_t next_context_ = 1;
  absl::Duration contact_ = -absl::InfiniteDuration();  // the leader's last word
  absl::Duration promised_until_;  // by timers that are in force no more, or in a past life
  std::deque<SentRound> rounds_;
  std::map<raft::NodeId, PeerPromise> promises_;  // of those that answered this leader
  absl::Duration lease_from_ = -absl::InfiniteDuration();
  absl::Duration lease_promised_;  // from then on, by all that the lease rests on
  raft::Term lease_term_ = 0;
  raft::Term no_lease_term_ = 0;  // the office was offered to another

  bool taking_snapshot_ = false;
  absl::Duration snapshot_retry_ = -absl::InfiniteDuration();
  std::optional<SnapshotName> snapshot_;
  std::optional<PendingInstall> install_;
  // The log does not durably say yet that the last install is over. Until then kv.new must not be
  // that of another one: a crash would take it for what the open intent speaks of.
  bool install_ending_ = false;
  std::map<raft::NodeId, std::unique_ptr<SnapshotSender>> senders_;
  std::vector<std::unique_ptr<SnapshotSender>> done_senders_;  // may be on the stack
  SnapshotReceiver receiver_;
};

}  // namespace slipway::eraft
