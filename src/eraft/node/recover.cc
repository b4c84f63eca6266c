// How a group starts: an install that a crash cut is completed or discarded, then engine and log
// meet: what the log has behind the engine's applied index is applied again, and no more (E65).
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "eraft/node/group.h"
#include "eraft/node/quarantine.h"

namespace slipway::eraft {

absl::StatusOr<std::unique_ptr<Group>> Group::Open(NodeContext& context,
                                                   const GroupOptions& options,
                                                   const GroupPlace& place) {
  std::unique_ptr<Group> group(new Group(context, options.id, options.members, place));
  const absl::Status status = group->Recover();
  if (!status.ok()) return base::Annotate(status, absl::StrCat("open group ", options.id));
  return group;
}

absl::Status Group::Recover() {
  SLIPWAY_RETURN_IF_ERROR(RemoveUnfinished(*place_.dir));
  const auto view = context_.wal->Find(id_);
  std::optional<InstallIntent> open;
  if (view.has_value() && view->intent.has_value()) {
    SLIPWAY_ASSIGN_OR_RETURN(open, DecodeInstallDetail(view->intent->detail));
  }
  NoJournal journal;
  SLIPWAY_RETURN_IF_ERROR(RecoverInstall(*place_.dir, open, journal));
  if (open.has_value()) SLIPWAY_RETURN_IF_ERROR(FinishInstall(*view->intent));
  const raft::Membership given = members_;
  SLIPWAY_RETURN_IF_ERROR(SettleMembers(view));
  SLIPWAY_RETURN_IF_ERROR(MakeEngineDir(*place_.dir));
  auto store = OpenGroupStore(place_, id_, members_);
  if (!store.ok()) {
    return QuarantineEngine(*place_.dir, context_.world.clock.Wall(), store.status());
  }
  store_ = *std::move(store);
  SLIPWAY_ASSIGN_OR_RETURN(const auto snapshots, ListSnapshots(*place_.dir, id_));
  if (!snapshots.empty()) snapshot_ = snapshots.back();
  SLIPWAY_RETURN_IF_ERROR(StartRaft());
  members_overruled_ = !(given == raft::Membership()) && !(raft_->GetStatus().membership == given);
  return absl::OkStatus();
}

// The new state stands; the log is told what Group::OnInstalled would have told it.
absl::Status Group::FinishInstall(const wal::SnapshotIntent& open) {
  const raft::SnapshotMark& mark = open.mark;
  bool held = false;
  const auto entry = context_.wal->Read(id_, mark.index, mark.index, 1);
  if (entry.ok()) {
    held = entry->front().term == mark.term;
  } else if (!absl::IsOutOfRange(entry.status())) {
    return entry.status();
  }
  wal::Batch batch;
  if (!held) batch.truncate_suffix_from = 1;
  batch.snapshot_done = wal::SnapshotDone{.index = mark.index, .term = mark.term};
  batch.truncate_prefix = mark;
  return AppendAndWait(std::move(batch));
}

// With which members the group begins is settled once, durably and before anything else of it is
// (E170): who began with another list at each start would count other majorities. A log that begins
// behind a snapshot has them from there.
absl::Status Group::SettleMembers(const std::optional<wal::GroupView>& view) {
  if (view.has_value() && view->membership.has_value()) {
    if (!SLIPWAY_MUTANT("node-members-believed")) members_ = view->membership->membership;
    // Of an index: unsafe-recover has made it so.
    began_alone_ = view->membership->index == 0 && IsAlone(members_);
    return absl::OkStatus();
  }
  if (view.has_value() && view->mark.index > 0) return absl::OkStatus();
  wal::Batch batch;
  batch.membership = wal::MembershipCopy{.index = 0, .membership = members_};
  began_alone_ = IsAlone(members_);
  return AppendAndWait(std::move(batch));
}

bool Group::IsAlone(const raft::Membership& members) const {
  return members.voters == std::vector<raft::NodeId>{node()} && !members.joint();
}

absl::Status Group::AppendAndWait(wal::Batch batch) {
  struct Done {
    base::Mutex mutex;
    base::CondVar changed;
    bool called ABSL_GUARDED_BY(mutex) = false;
    absl::Status status ABSL_GUARDED_BY(mutex);
  };
  auto done = std::make_shared<Done>();
  SLIPWAY_RETURN_IF_ERROR(context_.wal->Append(id_, std::move(batch), [done](absl::Status status) {
    const base::MutexLock lock(done->mutex);
    done->called = true;
    done->status = std::move(status);
    done->changed.NotifyAll();
  }));
  for (;;) {
    {
      const base::MutexLock lock(done->mutex);
      if (done->called) return done->status;
    }
    // It would wait for room for ever: nothing is freed before the group runs.
    const absl::Status log = context_.wal->status();
    if (absl::IsResourceExhausted(log)) return log;
    // Where the pool has no threads of its own, this one helps.
    if (context_.world.wal_pool.RunOne()) continue;
    const base::MutexLock lock(done->mutex);
    if (!done->called) done->changed.WaitFor(done->mutex, absl::Milliseconds(10));
  }
}

absl::Status Group::StartRaft() {
  auto found = context_.wal->Restore(id_);
  raft::Restored restored;
  if (found.ok()) {
    restored = *std::move(found);
  } else if (!absl::IsNotFound(found.status())) {
    return found.status();
  }
  applied_ = store_.machine->GetStatus().applied;
  log_start_ = restored.snapshot;
  const raft::Index last =
      restored.entries.empty() ? restored.snapshot.index : restored.entries.back().index;
  if (applied_ < restored.snapshot.index || applied_ > last) {
    return absl::DataLossError(
        absl::StrCat("the state machine stands at entry ", applied_, ", the log holds those above ",
                     restored.snapshot.index, " up to ", last,
                     ": they are not of one node; remove the node's data and let it join anew"));
  }
  restored.applied = applied_;
  snapshot_from_ =
      snapshot_.has_value() ? std::min(snapshot_->index, applied_) : restored.snapshot.index;
  raft::Options options = context_.options.raft;
  options.id = context_.options.id;
  options.seed = context_.world.random.Next();
  SLIPWAY_ASSIGN_OR_RETURN(raft_, raft::Raft::Create(options, members_, std::move(restored)));
  metrics_.applied_index.Set(static_cast<double>(applied_));
  SchedulePump();
  return absl::OkStatus();
}

}  // namespace slipway::eraft
