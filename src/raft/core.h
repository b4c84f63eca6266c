// The state of one Raft and its rules; see raft.h for what the calls mean. The rules stand in a
// file each: election.cc, replication.cc (leader), follower.cc, reads.cc, change.cc (membership),
// hibernation.cc; core.cc has the way in and out. Not thread-safe.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "raft/log.h"
#include "raft/membership.h"
#include "raft/message.h"
#include "raft/progress.h"
#include "raft/quorum.h"
#include "raft/raft.h"
#include "raft/types.h"

namespace slipway::raft {

class Raft::Core {
 public:
  Core(const Options& options, ConfigHistory::Config first, Term first_term);
  // Takes in what stood on the disk. InvalidArgument: it contradicts itself.
  absl::Status Restore(Restored restored);

  void Tick(bool log_stalled);
  absl::Status Step(Message message);
  absl::StatusOr<Place> Propose(absl::Span<const Slice> commands);
  absl::StatusOr<Place> ProposeMembership(const Membership& target);
  void ReadIndex(uint64_t context);
  absl::Status TransferLeader(NodeId peer);
  absl::Status Campaign();
  const Options& options() const { return options_; }
  void SetTimers(const Options& options, int promised_ticks);  // takes the timers of it

  void OnPersisted(Term term, Index index);
  void OnHardStatePersisted(const HardState& state);
  void OnApplied(Index index);
  void OnInstalled(const SnapshotMark& mark, bool ok);
  void OnSnapshotSent(NodeId peer, Index index, bool ok);
  void OnUnreachable(NodeId peer);
  void OnEntriesRead(NodeId peer, Index first, std::vector<Entry> entries);
  void OnCompacted(const SnapshotMark& mark);

  bool HasReady() const;
  void TakeReady(Ready& ready);
  std::vector<Entry> TakeBuffer();
  Status GetStatus() const;
  Role role() const { return role_; }
  NodeId leader() const { return leader_; }
  Term term() const { return term_; }
  Index commit() const { return commit_; }
  uint64_t round_confirmed() const { return round_confirmed_; }
  std::optional<Term> TermAt(Index index) const { return log_.TermAt(index); }
  std::optional<SnapshotMark> MarkAt(Index index) const;

 private:
  // A Ready whose write is under way (E101).
  struct Write {
    Index last = 0;  // its last entry; 0: only a hard state
    Term last_term = 0;
    Index valid = 0;  // up to here no later write replaced its entries
    HardState hard_state;
  };
  struct Read {
    NodeId from = kNoNode;
    uint64_t context = 0;
  };
  struct ForwardedRead {
    uint64_t context = 0;  // the caller's
    uint64_t wire = 0;     // ours, new for each: a late answer never meets a later read
    int age_ticks = 0;
  };

  // core.cc
  absl::Status CheckMessage(const Message& message) const;
  absl::Status Dispatch(Message& message);
  void AnswerStaleTerm(const Message& message);
  void NoteDurable(const HardState& state);
  void Recycle(Ready& ready);
  void KeepBuffer(std::vector<Entry>&& buffer);
  HardState hard_state() const { return {term_, vote_, commit_}; }
  bool HardStateDurable() const { return durable_.term == term_ && durable_.vote == vote_; }
  Index Applicable() const { return commit_ < persisted_ ? commit_ : persisted_; }
  const Membership& membership() const { return configs_.latest().membership; }
  Message& Post(MessageKind kind, NodeId to);
  Message& PostAfterPersist(MessageKind kind, NodeId to);
  static Message& Fill(Message& message, MessageKind kind, NodeId from, NodeId to, Term term);
  void AppendOwn(EntryKind kind, Slice payload);
  void TruncateFrom(Index first);
  void CommitTo(Index index);

  // election.cc
  void TickFollower();
  void TickLeader();
  bool Electable() const;
  bool HearsLeader() const;
  bool UpToDate(const Message& message) const;
  void BecomeFollower(Term term, NodeId leader, StepDownReason reason);
  void BecomeLeader();
  void StartPreVote();
  void StartElection(bool forced);
  void AskForVotes(MessageKind kind, Term term, bool forced);
  void CountOwnVote();
  void TakeBallot(NodeId voter, bool granted);
  void HandleVote(const Message& message);
  void HandleVoteReply(const Message& message);
  void HandleTimeoutNow(const Message& message);
  void ResetElectionTimer();
  uint64_t NextRandom();
  void CheckQuorum();
  void FinishTransfer();
  void SendTimeoutNow(NodeId peer);

  // replication.cc: what a leader does
  Progress* Find(NodeId peer);
  const Progress* Find(NodeId peer) const;
  void FlushAppends();
  bool SendAppend(Progress& peer);
  void PostAppend(Progress& peer, std::vector<Entry> entries, uint64_t bytes);
  void PostProbeOfWindow(const Progress& peer);
  absl::Status HandleAppendReply(const Message& message);
  void HandleHeartbeatReply(const Message& message);
  absl::Status HandleSnapshotReply(const Message& message);
  void MaybeCommit();
  bool CommittedInTerm() const;

  // follower.cc
  bool HearLeader(NodeId leader);
  absl::Status TwoLeaders(const Message& message) const;
  absl::Status HandleAppend(Message& message);
  absl::Status TakeEntries(Message& message);
  void AcknowledgeAppend(const Message& message, Index held);
  void RefuseAppend(const Message& message);
  absl::Status HandleHeartbeat(const Message& message);
  absl::Status HandleSnapshot(const Message& message);
  void AnswerSnapshot(Index held, bool reject);

  // reads.cc
  void BeginRound();
  bool ReadsCanStart() const;
  void StartReads();
  void ConfirmRounds();
  void Answer(const Read& read, Index index, bool failed);
  void FailReads();
  void FailForwarded();
  void AgeForwarded();
  void HandleReadIndex(const Message& message);
  void HandleReadIndexReply(const Message& message);

  // change.cc
  absl::Status TakeConfig(const Entry& entry);
  void RebuildPeers();
  void AdvanceMembership();
  void AppendConfig(const Membership& next);

  // hibernation.cc (E108)
  bool Quiet() const;
  void TickHibernation();
  void Wake();
  bool MaySleep(const Message& heartbeat) const;
  void MaybeSleep();

  Options options_;  // changed by SetTimers only
  uint64_t random_;

  // Paper, figure 2: state of every server.
  Term term_ = 0;
  NodeId vote_ = kNoNode;
  Log log_;
  ConfigHistory configs_;
  Index commit_ = 0;
  Index applied_ = 0;
  Role role_ = Role::kFollower;
  NodeId leader_ = kNoNode;
  StepDownReason stepped_down_ = StepDownReason::kNone;

  // What is durable, and what is on its way there.
  HardState durable_;            // `commit` means nothing here
  HardState handed_hard_state_;  // as of the last Ready
  Index handed_ = 0;             // entries up to here were in a Ready
  Index persisted_ = 0;          // entries up to here are durable
  Index delivered_ = 0;          // entries up to here were given to be applied
  std::vector<Write> writes_;    // under way, oldest first
  bool stalled_ = false;         // E109; until a write succeeds
  std::optional<SnapshotMark> installing_;

  // Election.
  int election_elapsed_ = 0;
  int election_timeout_ = 0;
  int heartbeat_elapsed_ = 0;
  int heard_elapsed_ = 0;  // ticks since a leader spoke; less: it was promised more
  std::vector<Ballot> ballots_;

  // Of a leader.
  std::vector<Progress> peers_;  // every member but itself, sorted by id
  Index term_start_ = 0;         // its no-op (E58)
  uint64_t uncommitted_bytes_ = 0;
  bool flush_appends_ = false;
  bool tell_commit_ = false;  // a tick has passed (Options::commit_waits)
  NodeId transfer_to_ = kNoNode;
  int transfer_elapsed_ = 0;
  bool transfer_begun_ = false;  // in this term

  // Reads.
  uint64_t round_sent_ = 0;
  uint64_t round_confirmed_ = 0;
  std::vector<Read> waiting_;  // for the next round
  std::vector<Read> asked_;    // in round asked_round_, of commit index asked_index_
  uint64_t asked_round_ = 0;
  Index asked_index_ = 0;
  std::vector<ForwardedRead> forwarded_;
  uint64_t next_wire_ = 0;

  // Hibernation.
  bool hibernating_ = false;
  int quiet_ticks_ = 0;

  // The Ready in the making.
  std::vector<Message> messages_;
  std::vector<Message> messages_after_persist_;
  std::optional<SnapshotMark> install_;
  std::vector<LogRead> reads_;
  std::vector<ReadState> read_states_;
  std::vector<std::vector<Entry>> buffers_;  // spare, of messages that are done
};

}  // namespace slipway::raft
