// The way in and out of the state machine: start, messages by term, durability, Ready.
#include "raft/core.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"
#include "base/status.h"

namespace slipway::raft {
namespace {

constexpr size_t kBuffersMax = 64;  // spare entry vectors kept; more than one Ready rarely needs

// SplitMix64 (Steele, Lea, Flood 2014): spreads a seed over all bits.
uint64_t Spread(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

absl::Status Malformed(const Message& message, const char* why) {
  return absl::InvalidArgumentError(absl::StrCat("message of kind ", static_cast<int>(message.kind),
                                                 " from node ", message.from, ", term ",
                                                 message.term, ": ", why));
}

absl::Status CheckEntries(const Message& message) {
  Index index = message.log_index;
  Term term = message.log_term;
  for (const Entry& entry : message.entries) {
    if (entry.index != ++index) return Malformed(message, "its entries have gaps");
    if (entry.term < term || entry.term > message.term) {
      return Malformed(message, "the terms of its entries do not rise");
    }
    term = entry.term;
    if (entry.kind != EntryKind::kMembership) continue;
    SLIPWAY_RETURN_IF_ERROR(DecodeMembership(entry.payload.view()).status().ok()
                                ? absl::OkStatus()
                                : Malformed(message, "a membership entry does not decode"));
  }
  return absl::OkStatus();
}

}  // namespace

Raft::Core::Core(const Options& options, ConfigHistory::Config first, Term first_term)
    : options_(options),
      random_(Spread(options.seed ^ Spread(options.id))),
      log_(first.index, first_term),
      configs_(std::move(first)) {
  next_wire_ = NextRandom();
}

absl::Status Raft::Core::Restore(Restored restored) {
  const auto refuse = [this](const char* why) {
    return absl::InvalidArgumentError(
        absl::StrCat("start raft of node ", options_.id, " from its disk: ", why));
  };
  for (Entry& entry : restored.entries) {
    if (entry.index != log_.last() + 1) return refuse("the log has a gap");
    if (entry.term < log_.last_term() || entry.term == 0) return refuse("terms of the log fall");
    if (entry.kind == EntryKind::kMembership) SLIPWAY_RETURN_IF_ERROR(TakeConfig(entry));
    log_.Append(std::move(entry));
  }
  if (restored.applied < restored.snapshot.index || restored.applied > log_.last()) {
    return refuse("what is applied is not in the log");
  }
  // A torn tail may have kept entries and lost the hard state behind them, or the reverse.
  const HardState& found = restored.hard_state;
  term_ = std::max(found.term, log_.last_term());
  vote_ = term_ == found.term ? found.vote : kNoNode;
  commit_ = std::min(std::max(found.commit, restored.applied), log_.last());
  durable_ = found;
  handed_hard_state_ = {found.term, found.vote, commit_};
  handed_ = persisted_ = log_.last();
  applied_ = delivered_ = restored.applied;
  log_.MarkApplied(applied_, options_.memory_bytes_max);
  // Who knows a term may have promised a leader, just before it stopped, to elect no other for an
  // election timeout (E102); a leader's lease rests on that (E141).
  heard_elapsed_ = term_ > 0 ? 0 : options_.election_ticks;
  ResetElectionTimer();
  return absl::OkStatus();
}

uint64_t Raft::Core::NextRandom() {
  random_ += 0x9e3779b97f4a7c15;
  return Spread(random_);
}

absl::Status Raft::Core::CheckMessage(const Message& message) const {
  if (message.to != options_.id) return Malformed(message, "meant for another node");
  if (message.from == kNoNode || message.from == options_.id) {
    return Malformed(message, "not from a peer");
  }
  if (message.term == 0) return Malformed(message, "nobody speaks in term 0");
  if (message.kind == MessageKind::kSnapshot) {
    const SnapshotMark& mark = message.snapshot;
    if (mark.index == 0 || mark.term == 0 || mark.term > message.term) {
      return Malformed(message, "the snapshot is of no place in a log");
    }
    return CheckMembership(mark.membership, "snapshot from a leader");
  }
  if (message.kind != MessageKind::kAppend) {
    return message.entries.empty() ? absl::OkStatus() : Malformed(message, "has entries");
  }
  SLIPWAY_RETURN_IF_ERROR(CheckEntries(message));
  if (message.term < term_) return absl::OkStatus();
  for (const Entry& entry : message.entries) {
    if (entry.index > commit_) break;
    const std::optional<Term> own = log_.TermAt(entry.index);
    if (own.has_value() && *own != entry.term) {
      return Malformed(message, "contradicts an entry that is committed here");
    }
  }
  return absl::OkStatus();
}

absl::Status Raft::Core::Step(Message message) {
  SLIPWAY_RETURN_IF_ERROR(CheckMessage(message));
  if (hibernating_) {
    const bool of_sleep = message.forced && (message.kind == MessageKind::kHeartbeat ||
                                             message.kind == MessageKind::kHeartbeatReply);
    if (!of_sleep || message.term != term_) Wake();
  }
  if (message.term < term_) {
    AnswerStaleTerm(message);
    return absl::OkStatus();
  }
  if (message.term > term_) {
    switch (message.kind) {
      case MessageKind::kPreVote:
        break;  // asks about a term that does not exist yet (thesis, 9.6)
      case MessageKind::kPreVoteReply:
        if (message.reject) BecomeFollower(message.term, kNoNode, StepDownReason::kHigherTerm);
        break;
      case MessageKind::kVote:
        // Thesis, 4.2.3: who hears a leader does not even take the term over, lest a server that
        // was cut off or removed disturbs the group. A transfer is the leader's own wish.
        if (HearsLeader() && !message.forced) return absl::OkStatus();
        [[fallthrough]];
      default:
        BecomeFollower(message.term, kNoNode, StepDownReason::kHigherTerm);
    }
  }
  return Dispatch(message);
}

absl::Status Raft::Core::Dispatch(Message& message) {
  switch (message.kind) {
    case MessageKind::kPreVote:
    case MessageKind::kVote:
      HandleVote(message);
      return absl::OkStatus();
    case MessageKind::kPreVoteReply:
    case MessageKind::kVoteReply:
      HandleVoteReply(message);
      return absl::OkStatus();
    case MessageKind::kAppend:
      return HandleAppend(message);
    case MessageKind::kAppendReply:
      return HandleAppendReply(message);
    case MessageKind::kHeartbeat:
      return HandleHeartbeat(message);
    case MessageKind::kHeartbeatReply:
      HandleHeartbeatReply(message);
      return absl::OkStatus();
    case MessageKind::kSnapshot:
      return HandleSnapshot(message);
    case MessageKind::kSnapshotReply:
      return HandleSnapshotReply(message);
    case MessageKind::kReadIndex:
      HandleReadIndex(message);
      return absl::OkStatus();
    case MessageKind::kReadIndexReply:
      HandleReadIndexReply(message);
      return absl::OkStatus();
    case MessageKind::kTimeoutNow:
      HandleTimeoutNow(message);
      return absl::OkStatus();
  }
  return Malformed(message, "of an unknown kind");
}

// A leader of an earlier term learns that it is over, and one who asks for votes where it stands;
// what else is old needs no answer.
void Raft::Core::AnswerStaleTerm(const Message& message) {
  switch (message.kind) {
    case MessageKind::kAppend:
    case MessageKind::kHeartbeat:
    case MessageKind::kSnapshot:
      Post(MessageKind::kAppendReply, message.from).reject = true;
      return;
    case MessageKind::kPreVote:
      Post(MessageKind::kPreVoteReply, message.from).reject = true;
      return;
    default:
      return;
  }
}

Message& Raft::Core::Fill(Message& message, MessageKind kind, NodeId from, NodeId to, Term term) {
  message.kind = kind;
  message.from = from;
  message.to = to;
  message.term = term;
  return message;
}

// A term or vote that is not durable is not shown either: after a crash it would never have been.
Message& Raft::Core::Post(MessageKind kind, NodeId to) {
  std::vector<Message>& box = HardStateDurable() ? messages_ : messages_after_persist_;
  return Fill(box.emplace_back(), kind, options_.id, to, term_);
}

Message& Raft::Core::PostAfterPersist(MessageKind kind, NodeId to) {
  return Fill(messages_after_persist_.emplace_back(), kind, options_.id, to, term_);
}

void Raft::Core::AppendOwn(EntryKind kind, Slice payload) {
  Entry entry;
  entry.index = log_.last() + 1;
  entry.term = term_;
  entry.kind = kind;
  entry.payload_crc = base::Crc32c(payload.view());
  uncommitted_bytes_ += payload.size();
  entry.payload = std::move(payload);
  log_.Append(std::move(entry));
  flush_appends_ = true;
  quiet_ticks_ = 0;
}

absl::StatusOr<Raft::Place> Raft::Core::Propose(absl::Span<const Slice> commands) {
  if (role_ != Role::kLeader) return absl::UnavailableError("propose: not the leader");
  if (transfer_to_ != kNoNode) {
    return absl::UnavailableError(
        absl::StrCat("propose: the office is being handed to node ", transfer_to_));
  }
  uint64_t bytes = 0;
  for (const Slice& command : commands) bytes += command.size();
  // One proposal always fits, however large: else it never would.
  if (uncommitted_bytes_ > 0 && bytes > 0 &&
      uncommitted_bytes_ + bytes > options_.uncommitted_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("propose ", bytes, " bytes: ", uncommitted_bytes_, " of ",
                     options_.uncommitted_bytes_max, " bytes wait to be committed; retry later"));
  }
  if (hibernating_) Wake();
  const Place place{term_, log_.last() + 1};
  for (const Slice& command : commands) AppendOwn(EntryKind::kCommand, command);
  return place;
}

// Entries that were written, or are being written, and are replaced now no longer count: also when
// later the very same entry stands there again, for until that write is done the disk has another
// (E101).
void Raft::Core::TruncateFrom(Index first) {
  log_.TruncateFrom(first);
  configs_.TruncateFrom(first);
  handed_ = std::min(handed_, first - 1);
  persisted_ = std::min(persisted_, first - 1);
  for (Write& write : writes_) write.valid = std::min(write.valid, first - 1);
}

void Raft::Core::CommitTo(Index index) {
  if (index <= commit_) return;
  SLIPWAY_CHECK(index <= log_.last());
  if (role_ == Role::kLeader) {
    for (Index each = commit_ + 1; each <= index; ++each) {
      uncommitted_bytes_ -= log_.At(each).payload.size();
    }
    flush_appends_ = true;
  }
  commit_ = index;
  quiet_ticks_ = 0;
}

void Raft::Core::OnPersisted(Term term, Index index) {
  const auto done = std::find_if(writes_.begin(), writes_.end(), [&](const Write& write) {
    return write.last == index && write.last_term == term;
  });
  if (done == writes_.end() || index == 0) return;
  stalled_ = false;
  persisted_ = std::max(persisted_, done->valid);
  if (SLIPWAY_MUTANT("raft-ack-by-index")) persisted_ = std::min(index, handed_);
  const HardState state = done->hard_state;
  writes_.erase(writes_.begin(), std::next(done));
  NoteDurable(state);
  MaybeCommit();
}

void Raft::Core::OnHardStatePersisted(const HardState& state) {
  stalled_ = false;
  while (!writes_.empty() && writes_.front().last == 0 &&
         writes_.front().hard_state.term <= state.term) {
    writes_.erase(writes_.begin());
  }
  NoteDurable(state);
}

void Raft::Core::NoteDurable(const HardState& state) {
  if (state.term < durable_.term) return;
  if (state.term == durable_.term && durable_.vote != kNoNode) return;
  durable_ = state;
  CountOwnVote();
}

void Raft::Core::OnApplied(Index index) {
  SLIPWAY_CHECK(index <= delivered_);
  if (index <= applied_) return;
  applied_ = index;
  log_.MarkApplied(index, options_.memory_bytes_max);
}

void Raft::Core::OnCompacted(const SnapshotMark& mark) {
  if (mark.index <= log_.compacted()) return;
  SLIPWAY_CHECK(mark.index <= applied_);
  log_.Compact(mark.index);
  configs_.Compact(mark.index);
}

void Raft::Core::KeepBuffer(std::vector<Entry>&& buffer) {
  if (buffer.capacity() == 0 || buffers_.size() >= kBuffersMax) return;
  buffer.clear();
  buffers_.push_back(std::move(buffer));
}

std::vector<Entry> Raft::Core::TakeBuffer() {
  if (buffers_.empty()) return {};
  std::vector<Entry> buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void Raft::Core::Recycle(Ready& ready) {
  for (Message& message : ready.messages) KeepBuffer(std::move(message.entries));
  for (Message& message : ready.messages_after_persist) KeepBuffer(std::move(message.entries));
  ready.hard_state.reset();
  ready.entries.clear();
  ready.messages.clear();
  ready.messages_after_persist.clear();
  ready.committed.clear();
  ready.install.reset();
  ready.send_snapshot.clear();
  ready.reads.clear();
  ready.read_states.clear();
  ready.must_sync = false;
}

bool Raft::Core::HasReady() const {
  return flush_appends_ || handed_ < log_.last() || !messages_.empty() ||
         !messages_after_persist_.empty() || handed_hard_state_ != hard_state() ||
         (!installing_.has_value() && delivered_ < Applicable()) || install_.has_value() ||
         !reads_.empty() || !read_states_.empty() || ReadsCanStart();
}

void Raft::Core::TakeReady(Ready& ready) {
  Recycle(ready);
  StartReads();
  if (flush_appends_) FlushAppends();
  Write write{.hard_state = hard_state()};
  if (handed_ < log_.last()) {
    log_.Copy(handed_ + 1, log_.last(), std::numeric_limits<uint64_t>::max(), ready.entries);
    handed_ = log_.last();
    write.last = write.valid = handed_;
    write.last_term = log_.last_term();
    ready.must_sync = true;
  }
  if (handed_hard_state_ != write.hard_state) {
    ready.hard_state = write.hard_state;
    ready.must_sync |= handed_hard_state_.term != term_ || handed_hard_state_.vote != vote_;
    handed_hard_state_ = write.hard_state;
  }
  if (ready.must_sync) writes_.push_back(write);
  messages_.swap(ready.messages);
  messages_after_persist_.swap(ready.messages_after_persist);
  reads_.swap(ready.reads);
  read_states_.swap(ready.read_states);
  install_.swap(ready.install);
  if (!installing_.has_value() && delivered_ < Applicable()) {
    log_.Copy(delivered_ + 1, Applicable(), options_.committed_bytes_max, ready.committed);
    delivered_ = ready.committed.back().index;
  }
  for (Progress& peer : peers_) {
    if (!std::exchange(peer.snapshot_due, false)) continue;
    ready.send_snapshot.push_back(peer.id);
  }
}

std::optional<SnapshotMark> Raft::Core::MarkAt(Index index) const {
  const std::optional<Term> term = log_.TermAt(index);
  if (!term.has_value()) return std::nullopt;
  return SnapshotMark{index, *term, configs_.At(index).membership};
}

Status Raft::Core::GetStatus() const {
  Status status;
  status.role = role_;
  status.leader = leader_;
  status.term = term_;
  status.vote = vote_;
  status.commit = commit_;
  status.applied = applied_;
  status.persisted = persisted_;
  status.last = log_.last();
  status.first_in_memory = log_.first_in_memory();
  status.membership = membership();
  for (const Progress& peer : peers_) {
    status.peers.push_back({peer.id, peer.state, peer.match, peer.next, peer.learner, peer.active});
  }
  status.stepped_down = stepped_down_;
  status.hibernating = hibernating_;
  status.transfer_to = transfer_to_;
  status.round_sent = round_sent_;
  status.round_confirmed = round_confirmed_;
  // A late TimeoutNow makes others vote in spite of the lease, also after the transfer was given
  // up.
  status.lease_allowed = CommittedInTerm() && !transfer_begun_;
  status.hears_leader = HearsLeader();
  status.uncommitted_bytes = uncommitted_bytes_;
  status.memory_bytes = log_.memory_bytes();
  return status;
}

}  // namespace slipway::raft
