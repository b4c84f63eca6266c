#include "raft/raft.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "raft/core.h"

namespace slipway::raft {
namespace {

absl::Status CheckOptions(const Options& options) {
  const auto refuse = [](const char* why) {
    return absl::InvalidArgumentError(absl::StrCat("start raft: ", why));
  };
  if (options.id == kNoNode) return refuse("the node has no id");
  if (options.heartbeat_ticks < 1) return refuse("heartbeat_ticks is below 1");
  if (options.election_ticks < 5 * options.heartbeat_ticks) {
    return refuse("election_ticks is below five heartbeats");
  }
  if (options.hibernate_ticks < 0) return refuse("hibernate_ticks is negative");
  if (options.priority < 0) return refuse("priority is negative");
  if (options.inflight_messages_max < 1 || options.inflight_bytes_max == 0) {
    return refuse("the window of a peer is empty");
  }
  return absl::OkStatus();
}

}  // namespace

Raft::Raft(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Raft::~Raft() = default;

absl::StatusOr<std::unique_ptr<Raft>> Raft::Create(Options options, const Membership& initial,
                                                   Restored restored) {
  SLIPWAY_RETURN_IF_ERROR(CheckOptions(options));
  const SnapshotMark& mark = restored.snapshot;
  const Membership& first = mark.index > 0 ? mark.membership : initial;
  if (!MembersOf(first).empty()) {  // an empty one learns who it belongs to from a leader
    SLIPWAY_RETURN_IF_ERROR(CheckMembership(first, "start raft"));
  }
  auto core = std::make_unique<Core>(options, ConfigHistory::Config{mark.index, first}, mark.term);
  SLIPWAY_RETURN_IF_ERROR(core->Restore(std::move(restored)));
  return std::unique_ptr<Raft>(new Raft(std::move(core)));
}

void Raft::Tick(bool log_stalled) { core_->Tick(log_stalled); }
absl::Status Raft::Step(Message message) { return core_->Step(std::move(message)); }
absl::StatusOr<Raft::Place> Raft::Propose(absl::Span<const Slice> commands) {
  return core_->Propose(commands);
}
absl::StatusOr<Raft::Place> Raft::ProposeMembership(const Membership& target) {
  return core_->ProposeMembership(target);
}
void Raft::ReadIndex(uint64_t context) { core_->ReadIndex(context); }
absl::Status Raft::TransferLeader(NodeId peer) { return core_->TransferLeader(peer); }
absl::Status Raft::Campaign() { return core_->Campaign(); }
absl::Status Raft::SetTimers(int election_ticks, int heartbeat_ticks, int hibernate_ticks,
                             int promised_ticks) {
  Options options = core_->options();
  options.election_ticks = election_ticks;
  options.heartbeat_ticks = heartbeat_ticks;
  options.hibernate_ticks = hibernate_ticks;
  SLIPWAY_RETURN_IF_ERROR(CheckOptions(options));
  core_->SetTimers(options, promised_ticks);
  return absl::OkStatus();
}

void Raft::OnPersisted(Term term, Index index) { core_->OnPersisted(term, index); }
void Raft::OnHardStatePersisted(const HardState& state) { core_->OnHardStatePersisted(state); }
void Raft::OnApplied(Index index) { core_->OnApplied(index); }
void Raft::OnInstalled(const SnapshotMark& mark, bool ok) { core_->OnInstalled(mark, ok); }
void Raft::OnSnapshotSent(NodeId peer, Index index, bool ok) {
  core_->OnSnapshotSent(peer, index, ok);
}
void Raft::OnUnreachable(NodeId peer) { core_->OnUnreachable(peer); }
void Raft::OnEntriesRead(NodeId peer, Index first, std::vector<Entry> entries) {
  core_->OnEntriesRead(peer, first, std::move(entries));
}
void Raft::OnCompacted(const SnapshotMark& mark) { core_->OnCompacted(mark); }

bool Raft::HasReady() const { return core_->HasReady(); }
Ready Raft::TakeReady() {
  Ready ready;
  core_->TakeReady(ready);
  return ready;
}
void Raft::TakeReady(Ready& ready) { core_->TakeReady(ready); }
std::vector<Entry> Raft::SpareEntries() { return core_->TakeBuffer(); }

Status Raft::GetStatus() const { return core_->GetStatus(); }
Role Raft::role() const { return core_->role(); }
NodeId Raft::leader() const { return core_->leader(); }
Term Raft::term() const { return core_->term(); }
Index Raft::commit() const { return core_->commit(); }
uint64_t Raft::round_confirmed() const { return core_->round_confirmed(); }
std::optional<Term> Raft::TermAt(Index index) const { return core_->TermAt(index); }
std::optional<SnapshotMark> Raft::MarkAt(Index index) const { return core_->MarkAt(index); }

}  // namespace slipway::raft
