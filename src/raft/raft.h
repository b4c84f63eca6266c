// The Raft protocol of one group as a pure deterministic state machine (E100): Ongaro's thesis with
// PreVote, CheckQuorum, asynchronous log writes, learners, joint consensus, ReadIndex, transfer and
// hibernation. No threads, clock, I/O, logging or globals; the same inputs give the same outputs,
// on every run and build. Not thread-safe: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "raft/message.h"
#include "raft/ready.h"
#include "raft/types.h"

namespace slipway::raft {

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

// Why a leader or candidate gave up; for logs and metrics (E37).
enum class StepDownReason : uint8_t {
  kNone,
  kHigherTerm,
  kQuorumLost,
  kStalledLog,
  kTransfer,
  kRemoved
};

struct Options {
  NodeId id = kNoNode;
  uint64_t seed = 0;                // of election timeouts and names of reads: new at each start
  int election_ticks = 10;          // waits in [1, 2) x this
  int heartbeat_ticks = 1;          // election_ticks >= 5 x this (E31)
  int hibernate_ticks = 0;          // quiet ticks before the group sleeps (E108); 0: never
  bool commit_waits = false;        // news of the commit index go with the next append, heartbeat
                                    // or tick: a lone command costs a peer one message, not two
  int priority = 1;                 // 0: never a leader; more: campaigns earlier (E107)
  int inflight_messages_max = 256;  // per peer (E103)
  uint64_t inflight_bytes_max = 8 << 20;
  uint64_t append_bytes_max = 1 << 20;        // payloads of one kAppend; entries: EntriesMax of it
  uint64_t committed_bytes_max = 4 << 20;     // of one page of Ready::committed
  uint64_t uncommitted_bytes_max = 64 << 20;  // Propose refuses above it (E105)
  uint64_t memory_bytes_max = 64 << 20;       // log kept in memory behind the applied index (E106)
};

struct PeerProgress {
  enum class State : uint8_t { kProbe, kReplicate, kSnapshot };
  NodeId id = kNoNode;
  State state = State::kProbe;
  Index match = 0;
  Index next = 0;
  bool learner = false;
  bool active = false;  // heard from within an election timeout
};

struct Status {
  Role role = Role::kFollower;
  NodeId leader = kNoNode;
  Term term = 0;
  NodeId vote = kNoNode;
  Index commit = 0, applied = 0, persisted = 0, last = 0, first_in_memory = 0;
  Membership membership;
  std::vector<PeerProgress> peers;  // of a leader
  StepDownReason stepped_down = StepDownReason::kNone;
  bool hibernating = false;
  NodeId transfer_to = kNoNode;
  uint64_t round_sent = 0;       // newest quorum round; the driver notes when it left (E141)
  uint64_t round_confirmed = 0;  // newest that a quorum answered in this term
  bool lease_allowed = false;    // of a leader: it knows what is committed, and began no transfer
  bool hears_leader = false;     // it leads, or elects nobody: a lease may rest on that (E141)
  uint64_t uncommitted_bytes = 0, memory_bytes = 0;
};

class Raft {
 public:
  // InvalidArgument: options or restored state contradict themselves (which, in the text).
  static absl::StatusOr<std::unique_ptr<Raft>> Create(Options options, const Membership& initial,
                                                      Restored restored);
  ~Raft();

  // One tick has passed. `log_stalled`: the driver's oldest unfinished log write is older than an
  // election timeout, so a leader goes and nobody campaigns (E109).
  void Tick(bool log_stalled = false);

  // A peer speaks. InvalidArgument: malformed, or not of this group; nothing changed.
  absl::Status Step(Message message);

  // Appends commands; the answer is the place of the first. Unavailable: not the leader (or it
  // hands over); ResourceExhausted: uncommitted_bytes_max. A place whose term is not the one
  // returned when it commits holds another's command (E68).
  struct Place {
    Term term = 0;
    Index index = 0;
  };
  absl::StatusOr<Place> Propose(absl::Span<const Slice> commands);

  // Begins the change to `target` (sorted voters and learners only; joint when more than one voter
  // changes, left by itself). FailedPrecondition: one is under way, or no entry of this term is
  // committed yet; InvalidArgument: `target` has no voter, is malformed or stands already.
  // Unavailable: not the leader.
  absl::StatusOr<Place> ProposeMembership(const Membership& target);

  // Asks for a read point; the answer comes in Ready::read_states under `context` (unique while
  // under way). Works on followers too.
  void ReadIndex(uint64_t context);

  // Hands the office to `peer` (E107); given up after an election timeout. Unavailable: not the
  // leader; InvalidArgument: not a voter.
  absl::Status TransferLeader(NodeId peer);

  // Other timers from now on (E31); what has elapsed counts on. For `promised_ticks`, of the new
  // length, this node elects nobody yet: it promised so by the timers from before, and a lease may
  // rest on that (E141). InvalidArgument: as for Create.
  absl::Status SetTimers(int election_ticks, int heartbeat_ticks, int hibernate_ticks,
                         int promised_ticks = 0);

  // As if the election timeout had passed; heeds no lease. FailedPrecondition: not electable.
  absl::Status Campaign();

  // The log is durable up to the entry (term, index), the last of a Ready, and so is every hard
  // state up to that Ready. Called in order, once for each Ready that had entries. Counts only as
  // far as no later Ready replaced what was written (E101).
  void OnPersisted(Term term, Index index);
  void OnHardStatePersisted(const HardState& state);
  void OnApplied(Index index);
  // The snapshot of Ready::install is durably the state, and the log begins after it unless it had
  // the entry of `mark`; or it could not be installed and nothing changed.
  void OnInstalled(const SnapshotMark& mark, bool ok);
  // `peer` has the content of the snapshot up to `index`, or will not get it.
  void OnSnapshotSent(NodeId peer, Index index, bool ok);
  // Messages to `peer` got lost, or (E108) its node is dead: wakes the groups it led, and
  // the leaders of those it is a member of.
  void OnUnreachable(NodeId peer);
  void OnEntriesRead(NodeId peer, Index first, std::vector<Entry> entries);

  // The log up to `mark`, which MarkAt gave, is gone from the disk: a snapshot at or above it is
  // durable. Peers that need what went get a snapshot. mark.index <= the applied index.
  void OnCompacted(const SnapshotMark& mark);

  bool HasReady() const;
  Ready TakeReady();
  // The same into `ready`, a done one: its memory is used again, so that a steady state allocates
  // nothing (E311).
  void TakeReady(Ready& ready);
  // An empty vector with memory that is free again: for the entries of the next kAppend that comes.
  std::vector<Entry> SpareEntries();

  Status GetStatus() const;  // allocates; the five below do not
  Role role() const;
  NodeId leader() const;
  Term term() const;
  Index commit() const;
  uint64_t round_confirmed() const;  // as in Status
  // Of entry `index`, unless it is compacted: its term; what a snapshot of the state after it is.
  std::optional<Term> TermAt(Index index) const;
  std::optional<SnapshotMark> MarkAt(Index index) const;

 private:
  class Core;
  explicit Raft(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

// The bytes of a kMembership entry. Decode: DataLoss for anything EncodeMembership did not write.
base::Bytes EncodeMembership(const Membership& membership);
absl::StatusOr<Membership> DecodeMembership(base::BytesView bytes);

}  // namespace slipway::raft
