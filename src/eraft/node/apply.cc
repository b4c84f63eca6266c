// Commands: on their way in, into the state machine, and their outcomes (E68, E144, E172).
#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/node/group.h"
#include "eraft/node/limits.h"

namespace slipway::eraft {
namespace {

constexpr char kNotExecutedCode[] = "ER001";
constexpr char kUnknownCode[] = "ER002";

// After the engine had no room for a batch.
constexpr absl::Duration kApplyAgainAfter = absl::Milliseconds(200);

// What a record of the log holds besides the payload of one entry, generously.
constexpr uint64_t kRecordSlackBytes = 256;

}  // namespace

absl::Status WithFate(const absl::Status& status, Fate fate) {
  return base::MakeError(status.code(), status.message(),
                         {.code = fate == Fate::kNotExecuted ? kNotExecutedCode : kUnknownCode,
                          .hint = base::GetErrorInfo(status).hint});
}

Fate FateOf(const absl::Status& status) {
  return base::GetErrorInfo(status).code == kNotExecutedCode ? Fate::kNotExecuted : Fate::kUnknown;
}

void Group::Refuse(Node::ProposeDone done, const absl::Status& status, Fate fate) {
  (fate == Fate::kNotExecuted ? metrics_.proposals_not_executed : metrics_.proposals_unknown)
      .Increment();
  context_.world.loop.Post([done = std::move(done), error = WithFate(status, fate)]() mutable {
    done(std::move(error));
  });
}

void Group::Propose(base::Bytes command, absl::Duration deadline, Node::ProposeDone done) {
  const auto what = [&] { return absl::StrCat("propose to group ", id_, ": "); };
  const uint64_t limit = (context_.options.wal_segment_bytes - wal::kSegmentHeaderBytes) /
                             (wal::kBatchesPerSegmentMin * wal::kRecordsPerBatchMin) -
                         kRecordSlackBytes;
  if (command.size() > limit) {
    return Refuse(
        std::move(done),
        absl::InvalidArgumentError(absl::StrCat(what(), command.size(), " bytes, at most ", limit)),
        Fate::kNotExecuted);
  }
  if (incoming_.size() + waiters_.size() >= context_.options.proposals_max) {
    return Refuse(
        std::move(done),
        absl::ResourceExhaustedError(absl::StrCat(what(), context_.options.proposals_max,
                                                  " commands are under way; try again later")),
        Fate::kNotExecuted);
  }
  PendingProposal proposal;
  proposal.id = next_proposal_++;
  proposal.command = raft::Slice(std::move(command));
  proposal.deadline = deadline;
  proposal.begun = context_.now();
  proposal.done = std::move(done);
  incoming_.push_back(std::move(proposal));
  SchedulePump();
}

// All that came in one turn of the loop becomes one stretch of the log. It is proposed in pieces:
// the Raft takes any single one while nothing waits to be committed, however large (E105).
void Group::FlushProposals() {
  if (incoming_.empty()) return;
  const absl::Duration now = context_.now();
  const uint64_t piece_bytes_max =
      std::min(context_.options.raft.append_bytes_max, context_.options.raft.uncommitted_bytes_max);
  std::vector<PendingProposal> proposals;
  uint64_t bytes = 0;
  for (PendingProposal& proposal : std::exchange(incoming_, {})) {
    if (proposal.deadline < now && !SLIPWAY_MUTANT("node-late-executed")) {
      Refuse(std::move(proposal.done),
             absl::DeadlineExceededError(
                 absl::StrCat("propose to group ", id_, ": the deadline passed in the queue")),
             Fate::kNotExecuted);
      continue;
    }
    if (!proposals.empty() && bytes + proposal.command.size() > piece_bytes_max) {
      Append(std::exchange(proposals, {}));
      bytes = 0;
    }
    bytes += proposal.command.size();
    proposals.push_back(std::move(proposal));
  }
  if (!proposals.empty()) Append(std::move(proposals));
}

void Group::Append(std::vector<PendingProposal> proposals) {
  std::vector<raft::Slice> commands;
  commands.reserve(proposals.size());
  for (const PendingProposal& proposal : proposals) commands.push_back(proposal.command);
  // A log that waits for room on the disk takes nothing more; what it has it keeps (E167).
  absl::Status room = context_.wal->status();
  if (room.ok()) room = CheckLag();
  const absl::StatusOr<raft::Raft::Place> place =
      room.ok() ? raft_->Propose(commands) : absl::StatusOr<raft::Raft::Place>(room);
  if (!place.ok()) {
    const absl::Status status =
        base::Annotate(place.status(), absl::StrCat("propose to group ", id_));
    for (PendingProposal& proposal : proposals) {
      Refuse(std::move(proposal.done), status, Fate::kNotExecuted);
    }
    return;
  }
  for (size_t i = 0; i < proposals.size(); ++i) {
    PendingProposal& proposal = proposals[i];
    waiters_[{place->index + i, place->term}] = {
        .id = proposal.id,
        .deadline = proposal.deadline,
        .begun = proposal.begun,
        .done = std::move(proposal.done),
    };
  }
  metrics_.proposals_pending.Set(static_cast<double>(waiters_.size()));
}

void Group::FailWaiters(const absl::Status& status) {
  for (auto& [place, waiter] : std::exchange(waiters_, {})) {
    Refuse(std::move(waiter.done), status, Fate::kUnknown);
  }
  for (PendingProposal& proposal : std::exchange(incoming_, {})) {
    Refuse(std::move(proposal.done), status, Fate::kNotExecuted);
  }
  metrics_.proposals_pending.Set(0);
}

void Group::ExpireProposals() {
  const absl::Duration now = context_.now();
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    if (at->second.deadline >= now) {
      ++at;
      continue;
    }
    Refuse(std::move(at->second.done),
           absl::DeadlineExceededError(absl::StrCat(
               "propose to group ", id_, ": no outcome in time; the command may yet be executed")),
           Fate::kUnknown);
    at = waiters_.erase(at);
  }
}

// A leader whose state machine falls behind takes no more before it has caught up (E171).
absl::Status Group::CheckLag() const {
  const raft::Index lag = raft_->commit() - std::min(raft_->commit(), applied_);
  const bool lags = lag > context_.options.apply_lag_max ||
                    unapplied_bytes_ > context_.options.unapplied_bytes_max;
  if (raft_->role() != raft::Role::kLeader || !lags) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(lag, " entries, ", unapplied_bytes_,
                   " bytes of them in memory, are committed and not yet applied; try again later"));
}

// Appends to a follower whose state machine is slower than its log are lost, so the leader probes
// at each heartbeat until they are taken again. Only what is committed counts: that it is applied
// one day needs no further entry, while what is not may need a newer one to be committed.
bool Group::IsFull() const {
  if (SLIPWAY_MUTANT("node-apply-unbounded")) return false;
  return raft_->commit() > applied_ + context_.options.unapplied_entries_max ||
         unapplied_bytes_ > context_.options.unapplied_bytes_max;
}

void Group::StartApply() {
  if (applying_ || to_apply_.empty() || (install_.has_value() && install_->prepared)) return;
  if (context_.now() < apply_again_) return;  // Tick calls then
  auto entries = std::make_shared<std::vector<raft::Entry>>();
  uint64_t bytes = 0;
  while (!to_apply_.empty() && (entries->empty() || bytes < kApplyBytesMax)) {
    bytes += to_apply_.front().payload.size();
    entries->push_back(std::move(to_apply_.front()));
    to_apply_.pop_front();
  }
  applying_ = true;
  auto outcomes = std::make_shared<absl::StatusOr<std::vector<Outcome>>>();
  context_.jobs->Run(
      [machine = store_.machine, entries, outcomes] { *outcomes = machine->Apply(*entries); },
      [this, entries, outcomes] {
        applying_ = false;
        if (absl::IsResourceExhausted(outcomes->status())) return HoldApply(*entries);
        if (!outcomes->ok()) {
          return Fatal(base::Annotate(outcomes->status(), absl::StrCat("apply in group ", id_)));
        }
        OnApplied(*entries, **outcomes);
      });
}

// On a full disk the log keeps what the state machine has no room for (E167).
void Group::HoldApply(std::vector<raft::Entry>& entries) {
  to_apply_.insert(to_apply_.begin(), std::make_move_iterator(entries.begin()),
                   std::make_move_iterator(entries.end()));
  apply_again_ = context_.now() + kApplyAgainAfter;
  metrics_.apply_held.Increment();
  if (install_.has_value()) ContinueInstall();
}

void Group::OnApplied(const std::vector<raft::Entry>& entries,
                      const std::vector<Outcome>& outcomes) {
  for (const raft::Entry& entry : entries) {
    applied_bytes_ += entry.payload.size();
    unapplied_bytes_ -= entry.payload.size();
  }
  applied_ = std::max(applied_, entries.back().index);
  metrics_.applied_index.Set(static_cast<double>(applied_));
  if (context_.world.observer != nullptr) context_.world.observer->OnApplied(id_, entries);
  raft_->OnApplied(entries.back().index);
  AnswerWaiters(entries, outcomes);
  AnswerReads();
  StartApply();
  if (install_.has_value()) ContinueInstall();
  MaybeTakeSnapshot();
  Pump();
}

// Both lists rise by index. An entry that is no command has no outcome and nobody who waits.
void Group::AnswerWaiters(const std::vector<raft::Entry>& entries,
                          const std::vector<Outcome>& outcomes) {
  if (waiters_.empty()) return;
  auto outcome = outcomes.begin();
  for (const raft::Entry& entry : entries) {
    while (outcome != outcomes.end() && outcome->index < entry.index) ++outcome;
    auto waiter = waiters_.find({entry.index, entry.term});
    if (SLIPWAY_MUTANT("node-waiter-by-index")) waiter = waiters_.lower_bound({entry.index, 0});
    if (waiter == waiters_.end() || waiter->first.first != entry.index) continue;
    if (outcome == outcomes.end() || outcome->index != entry.index) continue;
    metrics_.proposals_ok.Increment();
    metrics_.proposal_seconds.Observe(absl::ToDoubleSeconds(context_.now() - waiter->second.begun));
    context_.world.loop.Post(
        [done = std::move(waiter->second.done), answer = *outcome]() mutable { done(answer); });
    waiters_.erase(waiter);
  }
  metrics_.proposals_pending.Set(static_cast<double>(waiters_.size()));
}

}  // namespace slipway::eraft
