// The Ready loop of a group: what the Raft asks for, in the order that raft.h demands.
#include "eraft/node/group.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

// What a leader says, which binds a node that has lost its data to nothing that it said before.
bool IsOfLeader(raft::MessageKind kind) {
  return kind == raft::MessageKind::kAppend || kind == raft::MessageKind::kHeartbeat ||
         kind == raft::MessageKind::kSnapshot;
}

}  // namespace

Group::Group(NodeContext& context, raft::GroupId id, const raft::Membership& members,
             const GroupPlace& place)
    : context_(context),
      id_(id),
      members_(members),
      place_(place),
      metrics_(context.world.metrics, context.options.id, id),
      promised_until_(context.now() + context.election_timeout()),
      receiver_(*this) {}

Group::~Group() = default;

// Everything that came in one turn of the loop goes into one Ready: one write, one message a peer.
void Group::SchedulePump() {
  if (std::exchange(pump_scheduled_, true)) return;
  context_.jobs->Post([this] {
    pump_scheduled_ = false;
    Pump();
  });
}

void Group::Pump() {
  if (!context_.failed.ok()) return;
  FlushProposals();
  FlushReads();
  while (context_.failed.ok() && raft_->HasReady()) {
    NoteRole();
    raft_->TakeReady(ready_);
    HandleReady();
  }
  NoteRole();
  AppendWrites();
  AnswerReads();
  metrics_.commit_index.Set(static_cast<double>(raft_->commit()));
}

void Group::HandleReady() {
  for (const raft::Message& message : ready_.messages) Send(message);
  const bool waits = !ready_.entries.empty() || !ready_.messages_after_persist.empty() ||
                     ready_.hard_state.has_value();
  if (waits) {
    PendingWrite write;
    write.id = next_write_++;
    write.sync = ready_.must_sync;
    write.hard_state = ready_.hard_state;
    write.entries = std::move(ready_.entries);
    write.then = std::move(ready_.messages_after_persist);
    writes_.push_back(std::move(write));
  }
  for (raft::Entry& entry : ready_.committed) {
    unapplied_bytes_ += entry.payload.size();
    to_apply_.push_back(std::move(entry));
  }
  for (const raft::LogRead& read : ready_.reads) ReadLog(read);
  if (!ready_.read_states.empty()) OnReadStates();
  if (!ready_.send_snapshot.empty()) SendSnapshots();
  if (ready_.install.has_value()) StartInstall(*ready_.install);
  AppendWrites();
  FinishWrites();
  StartApply();
}

void Group::Send(const raft::Message& message) {
  if (message.kind == raft::MessageKind::kHeartbeat) NoteRound(message);
  if (message.kind == raft::MessageKind::kTimeoutNow) no_lease_term_ = message.term;
  if (context_.world.observer != nullptr) context_.world.observer->OnSend(id_, message);
  const raft::Message* out = &message;
  raft::Message promising;
  if (TellsPromise(message)) {
    promising = message;
    promising.context = static_cast<uint64_t>(absl::ToInt64Microseconds(Promise()));
    out = &promising;
  }
  const absl::Status sent = context_.Send(message.to, ClassOf(message), EncodeFrame(id_, *out));
  // Told at the next tick: told now, a full queue would have the Raft try again at once.
  if (!sent.ok()) unreachable_.push_back(message.to);
}

// Of no Ready; durable in turn, and then `after`.
void Group::AppendRecord(wal::Batch record, absl::AnyInvocable<void()> after) {
  PendingWrite write;
  write.id = next_write_++;
  write.record = std::move(record);
  write.after = std::move(after);
  write.sync = true;
  writes_.push_back(std::move(write));
  SchedulePump();
}

wal::Batch Group::BatchOf(const PendingWrite& write) const {
  if (write.after) return write.record;
  wal::Batch batch;
  batch.hard_state = write.hard_state.has_value() ? write.hard_state : commit_hint_;
  batch.entries = write.entries;
  // A crash may leave the first records of a batch: the commit index, but in place of the entries
  // older ones that they were to replace. So it covers none of them; it is a hint and may be old.
  if (batch.hard_state.has_value() && !batch.entries.empty()) {
    batch.hard_state->commit = std::min(batch.hard_state->commit, batch.entries.front().index - 1);
  }
  return batch;
}

// In order; what the log has no room for waits, and all behind it.
void Group::AppendWrites() {
  for (PendingWrite& write : writes_) {
    if (write.appended || !context_.failed.ok()) continue;
    if (!write.sync) {
      // Only the commit index moved, a hint: it costs no write of its own (E76).
      if (write.hard_state.has_value()) commit_hint_ = write.hard_state;
      write.appended = true;
      continue;
    }
    const absl::Status status = context_.wal->Append(
        id_, BatchOf(write), [this, jobs = context_.jobs, id = write.id](absl::Status written) {
          jobs->Post([this, id, written = std::move(written)] { OnWritten(id, written); });
        });
    if (absl::IsResourceExhausted(status)) return;  // at the next tick again
    if (!status.ok()) return Fatal(base::Annotate(status, absl::StrCat("group ", id_)));
    write.appended = true;
    if (!write.after) commit_hint_.reset();
  }
}

void Group::OnWritten(uint64_t id, const absl::Status& status) {
  if (!status.ok()) return Fatal(base::Annotate(status, absl::StrCat("group ", id_)));
  for (PendingWrite& write : writes_) {
    if (write.id == id) write.durable = true;
  }
  FinishWrites();
  Pump();
}

// What waited for a write, and for all writes before it, leaves now (E101).
void Group::FinishWrites() {
  while (!writes_.empty() && context_.failed.ok()) {
    PendingWrite& front = writes_.front();
    if (!front.appended || (front.sync && !front.durable)) return;
    PendingWrite write = std::move(front);
    writes_.pop_front();
    if (write.sync && write.hard_state.has_value()) {
      raft_->OnHardStatePersisted(*write.hard_state);
      if (context_.world.observer != nullptr) {
        context_.world.observer->OnHardState(id_, *write.hard_state);
      }
    }
    if (!write.entries.empty()) {
      raft_->OnPersisted(write.entries.back().term, write.entries.back().index);
    }
    for (const raft::Message& message : write.then) Send(message);
    if (write.after) write.after();
  }
}

// For a peer that needs what memory holds no more (E106).
void Group::ReadLog(const raft::LogRead& read) {
  auto entries = std::make_shared<absl::StatusOr<std::vector<raft::Entry>>>();
  context_.jobs->Run(
      [wal = context_.wal.get(), group = id_, read, entries] {
        *entries = wal->Read(group, read.first, read.last, read.bytes_max);
      },
      [this, read, entries] {
        if (absl::IsDataLoss(entries->status())) {
          return Fatal(base::Annotate(entries->status(), absl::StrCat("group ", id_)));
        }
        // None: cut off meanwhile, and the peer gets a snapshot.
        raft_->OnEntriesRead(read.peer, read.first,
                             entries->ok() ? std::move(**entries) : std::vector<raft::Entry>());
        Pump();
      });
}

void Group::NoteRole() {
  const bool led = role_ == raft::Role::kLeader;
  const bool leads = raft_->role() == raft::Role::kLeader;
  if (led && (!leads || raft_->term() != term_)) {
    // Whatever becomes of what was proposed, this node is no longer told (E68).
    if (!SLIPWAY_MUTANT("node-waiter-by-index")) {
      FailWaiters(absl::UnavailableError(absl::StrCat(
          "propose to group ", id_, ": this node lost the leadership before the outcome")));
    }
    lease_from_ = -absl::InfiniteDuration();
    rounds_.clear();
    promises_.clear();
  }
  if (raft_->leader() != leader_) {
    leader_ = raft_->leader();
    if (leader_ != raft::kNoNode) metrics_.leader_changes.Increment();
    metrics_.has_leader.Set(leader_ != raft::kNoNode ? 1 : 0);
  }
  role_ = raft_->role();
  term_ = raft_->term();
  metrics_.is_leader.Set(leads ? 1 : 0);
  metrics_.term.Set(static_cast<double>(term_));
}

void Group::Tick(bool log_stalled) {
  std::sort(unreachable_.begin(), unreachable_.end());
  unreachable_.erase(std::unique(unreachable_.begin(), unreachable_.end()), unreachable_.end());
  for (const raft::NodeId peer : std::exchange(unreachable_, {})) raft_->OnUnreachable(peer);
  LeaveFence({});
  if (!fenced_) raft_->Tick(log_stalled);  // who is fenced waits for no election
  NoteRole();
  ExpireProposals();
  ExpireReads();
  done_senders_.clear();
  std::vector<raft::NodeId> peers;  // a sender that ends removes itself
  for (const auto& [peer, sender] : senders_) peers.push_back(peer);
  for (const raft::NodeId peer : peers) {
    const auto sender = senders_.find(peer);
    if (sender != senders_.end()) sender->second->Tick();
  }
  receiver_.Tick();
  StartApply();
  PrepareNext();
  MaybeTakeSnapshot();
  Pump();
}

void Group::SetFenced(bool fenced) { fenced_ = fenced && !SLIPWAY_MUTANT("node-fenced-votes"); }

// Whom the log shows without a vote at some time, or a snapshot with all that was decided before
// it, has learnt what it lost: its promises of then bind nobody any more.
void Group::LeaveFence(absl::Span<const std::pair<raft::Index, raft::Term>> without_vote) {
  if (!fenced_) return;
  bool leaves = log_start_.index > 0;
  for (const auto& [index, term] : without_vote) leaves |= raft_->TermAt(index) == term;
  if (leaves) fenced_ = false;
}

// The changes of members among the entries after which this node has no vote. It may get it back in
// the next one: what the last one says is not enough.
std::vector<std::pair<raft::Index, raft::Term>> Group::WithoutVote(
    const raft::Message& message) const {
  std::vector<std::pair<raft::Index, raft::Term>> found;
  if (!fenced_) return found;
  for (const raft::Entry& entry : message.entries) {
    if (entry.kind != raft::EntryKind::kMembership) continue;
    const auto members = raft::DecodeMembership(entry.payload.view());
    if (!members.ok() || raft::IsVoter(*members, node())) continue;
    found.emplace_back(entry.index, entry.term);
  }
  return found;
}

void Group::OnFrame(raft::NodeId peer, FrameBody body) {
  if (auto* message = std::get_if<raft::Message>(&body)) {
    if (message->from != peer || (fenced_ && !IsOfLeader(message->kind))) {
      return metrics_.messages_refused.Increment();
    }
    if (message->kind == raft::MessageKind::kAppend && !message->entries.empty() && IsFull()) {
      return metrics_.appends_dropped.Increment();
    }
    const bool leads = message->kind == raft::MessageKind::kAppend ||
                       message->kind == raft::MessageKind::kHeartbeat;
    const raft::Term term = message->term;
    const auto without_vote = WithoutVote(*message);
    NotePromise(peer, *message);
    if (!raft_->Step(std::move(*message)).ok()) return metrics_.messages_refused.Increment();
    LeaveFence(without_vote);
    if (leads && term == raft_->term()) contact_ = context_.now();
    NoteRole();
    NoteConfirmed();
    return SchedulePump();
  }
  if (auto* offer = std::get_if<SnapshotOffer>(&body)) {
    return receiver_.OnOffer(peer, std::move(*offer));
  }
  if (const auto* part = std::get_if<SnapshotPart>(&body)) return receiver_.OnPart(peer, *part);
  const auto sender = senders_.find(peer);
  if (sender != senders_.end()) sender->second->OnAnswer(std::get<SnapshotAnswer>(body));
}

void Group::OnPeerSilent(raft::NodeId peer) {
  // For what is lost on the way to a member there is Send's answer, unless nothing is sent.
  if (raft_->leader() != peer && !raft_->GetStatus().hibernating) return;
  raft_->OnUnreachable(peer);
  SchedulePump();
}

absl::Status Group::ProposeMembership(const raft::Membership& target) {
  const absl::Status status = raft_->ProposeMembership(target).status();
  SchedulePump();
  return status;
}

absl::Status Group::TransferLeader(raft::NodeId peer) {
  SLIPWAY_RETURN_IF_ERROR(raft_->TransferLeader(peer));
  // The other may take over by a vote that heeds no lease, whenever the word reaches it: none for
  // the rest of the term (E141).
  no_lease_term_ = raft_->term();
  SchedulePump();
  return absl::OkStatus();
}

absl::Status Group::SetTimers(const Node::Timers& timers) {
  // By the longer ones, too: an answer to that contact may still wait for its sync, and will say
  // what is in force when it leaves.
  absl::Duration longer = context_.election_timeout();
  if (!SLIPWAY_MUTANT("node-late-promise-unkept")) {
    longer = std::max(longer, timers.tick * timers.election_ticks);
  }
  promised_until_ = std::max(promised_until_, contact_ + longer);
  const double left = absl::FDivDuration(promised_until_ - context_.now(), timers.tick);
  // One more: the first may come at once.
  const int promised = left > 0 ? static_cast<int>(std::ceil(left)) + 1 : 0;
  SLIPWAY_RETURN_IF_ERROR(raft_->SetTimers(timers.election_ticks, timers.heartbeat_ticks,
                                           timers.hibernate_ticks, promised));
  SchedulePump();
  return absl::OkStatus();
}

absl::Status Group::Campaign() {
  if (fenced_) {
    return absl::FailedPreconditionError(absl::StrCat(
        "campaign in group ", id_, ": this node lost its data; it waits to be taken in"));
  }
  // What it promised its leader holds for its own vote, too: the leader may read by a lease (E141).
  if (const raft::Status status = raft_->GetStatus();
      status.role != raft::Role::kLeader && status.hears_leader) {
    raft_->OnUnreachable(status.leader);  // asleep it would wait for ever (E108)
    return absl::FailedPreconditionError(
        absl::StrCat("campaign in group ", id_,
                     ": a leader was heard from within an election timeout, or this "
                     "node has just started; let the leader transfer the office, or wait"));
  }
  SLIPWAY_RETURN_IF_ERROR(raft_->Campaign());
  NoteRole();
  SchedulePump();
  return absl::OkStatus();
}

GroupStatus Group::GetStatus() const {
  GroupStatus status;
  status.raft = raft_->GetStatus();
  if (store_.machine != nullptr) status.kv = store_.machine->GetStatus();
  status.log_start = log_start_;
  status.snapshot = snapshot_.has_value() ? snapshot_->index : 0;
  status.installing = install_.has_value();
  status.snapshot_error = receiver_.error();
  status.members_overruled = members_overruled_;
  status.fenced = fenced_;
  status.alone = began_alone_ && status.raft.membership.voters == members_.voters &&
                 !status.raft.membership.joint();
  status.unapplied_bytes = unapplied_bytes_;
  status.proposals = incoming_.size() + waiters_.size();
  status.reads = new_reads_.size() + again_reads_.size() + waiting_reads_.size();
  for (const auto& [context, reads] : asked_reads_) status.reads += reads.size();
  for (const auto& [peer, sender] : senders_) {
    status.snapshots_sending += sender->name().has_value() ? 1 : 0;
  }
  status.lease_left = LeaseLeft();
  return status;
}

void Group::Fail(const absl::Status& status) {
  FailWaiters(status);
  FailReads(status);
}

absl::Status Group::Close() {
  if (store_.engine == nullptr) return absl::OkStatus();
  store_.machine = nullptr;
  const std::shared_ptr<Engine> engine = std::move(store_.engine);
  return engine->Close();
}

}  // namespace slipway::eraft
