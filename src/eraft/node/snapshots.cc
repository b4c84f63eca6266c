// Snapshots of a group: taken while entries are applied, so that the log can be cut (E151, E160),
// and installed so that a crash leaves the old state or the new one (E162).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/node/group.h"
#include "eraft/node/quarantine.h"

namespace slipway::eraft {
namespace {

constexpr absl::Duration kRetrySnapshotAfter = absl::Seconds(10);

}  // namespace

// ---- Taking ----

void Group::MaybeTakeSnapshot() {
  if (taking_snapshot_ || install_.has_value() || !context_.failed.ok()) return;
  const bool due = applied_ >= snapshot_from_ + context_.options.snapshot_entries ||
                   applied_bytes_ >= context_.options.snapshot_bytes ||
                   (!snapshot_.has_value() && !senders_.empty());
  if (due && context_.now() >= snapshot_retry_) StartSnapshot();
}

absl::Status Group::TakeSnapshot() {
  if (taking_snapshot_ || install_.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("snapshot of group ", id_, ": one is being taken or installed"));
  }
  StartSnapshot();
  return absl::OkStatus();
}

void Group::StartSnapshot() {
  struct Taken {
    absl::StatusOr<Manifest> manifest;
    raft::Index durable = 0;
  };
  taking_snapshot_ = true;
  ++engine_jobs_;
  auto taken = std::make_shared<Taken>();
  context_.jobs->Run(
      [place = place_, engine = store_.engine, group = id_, taken] {
        taken->manifest = CreateSnapshot(*place.dir, *place.engine, *engine, group);
        if (!taken->manifest.ok()) return;
        // The log is cut up to what the engine itself keeps (E151).
        if (SLIPWAY_MUTANT("node-cut-above-durable")) {
          taken->durable = taken->manifest->index;
          return;
        }
        const absl::Status flushed = engine->Flush();
        const auto durable = DurableIndex(*engine, group);
        if (!flushed.ok() || !durable.ok()) {
          taken->manifest = flushed.ok() ? durable.status() : flushed;
        } else {
          taken->durable = *durable;
        }
      },
      [this, taken] {
        --engine_jobs_;
        taking_snapshot_ = false;
        OnSnapshotTaken(taken->manifest, taken->durable);
      });
}

void Group::OnSnapshotTaken(const absl::StatusOr<Manifest>& manifest, raft::Index durable) {
  if (manifest.ok()) {
    metrics_.snapshots_taken.Increment();
    if (!snapshot_.has_value() || snapshot_->index < manifest->index) {
      snapshot_ = SnapshotName{id_, manifest->term, manifest->index};
    }
    snapshot_from_ = manifest->index;
    applied_bytes_ = 0;
    TruncateLog(manifest->index, durable);
    PruneSnapshots();
  } else {
    metrics_.snapshots_take_failed.Increment();
    snapshot_retry_ = context_.now() + kRetrySnapshotAfter;
    // Without room, or with nothing applied, there is none now; anything else is the engine's end.
    if (!absl::IsResourceExhausted(manifest.status()) &&
        !absl::IsFailedPrecondition(manifest.status())) {
      return Fatal(base::Annotate(manifest.status(), absl::StrCat("snapshot of group ", id_)));
    }
  }
  if (install_.has_value()) ContinueInstall();
  SchedulePump();
}

void Group::TruncateLog(raft::Index snapshot, raft::Index durable) {
  const raft::Index last = std::min({snapshot, durable, applied_});
  if (last <= context_.options.log_keep_entries) return;
  const auto mark = raft_->MarkAt(last - context_.options.log_keep_entries);
  if (!mark.has_value() || mark->index <= log_start_.index) return;
  wal::Batch batch;
  batch.truncate_prefix = *mark;
  AppendRecord(std::move(batch), [this, mark = *mark] {
    if (mark.index <= log_start_.index) return;  // an install went further
    log_start_ = mark;
    raft_->OnCompacted(mark);
  });
}

// Only the newest is of use, and what is on its way to a peer.
void Group::PruneSnapshots() {
  std::vector<SnapshotName> used;
  if (snapshot_.has_value()) used.push_back(*snapshot_);
  if (install_.has_value()) used.push_back(install_->name);
  for (const auto& [peer, sender] : senders_) {
    if (sender->name().has_value()) used.push_back(*sender->name());
  }
  const raft::Index newest = snapshot_.has_value() ? snapshot_->index : 0;
  context_.jobs->Run(
      [place = place_, group = id_, used, newest] {
        const auto names = ListSnapshots(*place.dir, group);
        if (!names.ok()) return;  // with the next
        for (const SnapshotName& name : *names) {
          const bool keep =
              name.index >= newest || std::find(used.begin(), used.end(), name) != used.end();
          if (!keep) RemoveSnapshot(*place.dir, name).IgnoreError();
        }
      },
      [] {});
}

// ---- Sending ----

void Group::SendSnapshots() {
  for (const raft::NodeId peer : ready_.send_snapshot) {
    std::unique_ptr<SnapshotSender>& sender = senders_[peer];
    if (sender != nullptr) continue;
    sender = std::make_unique<SnapshotSender>(*this, peer);
    sender->Tick();
  }
  // One is made where there is none: the log that a peer lacks may have gone another way.
  if (!snapshot_.has_value() && !senders_.empty()) TakeSnapshot().IgnoreError();
}

void Group::OnSenderDone(raft::NodeId peer, raft::Index index, bool ok) {
  (ok ? metrics_.snapshots_sent : metrics_.snapshots_send_failed).Increment();
  const auto sender = senders_.find(peer);
  if (sender != senders_.end()) {
    if (sender->second->suspect()) CheckSnapshot(*sender->second->name());
    done_senders_.push_back(std::move(sender->second));
    senders_.erase(sender);
  }
  raft_->OnSnapshotSent(peer, index, ok);
  SchedulePump();
}

// A damaged one would be sent for ever to who needs it: another takes its place (E163).
void Group::CheckSnapshot(const SnapshotName& name) {
  if (taking_snapshot_ || install_.has_value()) return;  // with the next failure
  taking_snapshot_ = true;
  auto damaged = std::make_shared<bool>(false);
  context_.jobs->Run(
      [place = place_, name, damaged, now = context_.world.clock.Wall()] {
        const absl::Status found = VerifySnapshot(*place.dir, name);
        *damaged = absl::IsDataLoss(found) || absl::IsNotFound(found);
        if (!*damaged) return;
        if (!SLIPWAY_MUTANT("node-no-quarantine")) {
          Quarantine(*place.dir, now, absl::StrCat("snapshot ", ToString(name), " is damaged"),
                     "it is removed and another one taken", DamageOf(*place.dir, name))
              .IgnoreError();
        }
        RemoveSnapshot(*place.dir, name).IgnoreError();
      },
      [this, name, damaged] {
        taking_snapshot_ = false;
        if (*damaged && snapshot_ == name) snapshot_.reset();
        if (install_.has_value()) return ContinueInstall();  // the engine goes away, or is gone
        if (*damaged) StartSnapshot();
      });
}

// ---- Installing ----

void Group::OnReceived(const SnapshotName& name, raft::Message message) {
  metrics_.snapshots_received.Increment();
  if (!raft_->Step(std::move(message)).ok()) metrics_.messages_refused.Increment();
  NoteRole();
  // Of use here, too, once its state is.
  if (!snapshot_.has_value() || snapshot_->index < name.index) snapshot_ = name;
  Pump();
}

void Group::StartInstall(const raft::SnapshotMark& mark) {
  install_ = PendingInstall{.mark = mark, .name = {id_, mark.term, mark.index}, .intent = {}};
  PrepareNext();
}

// The engine serves on while kv.new is built.
void Group::PrepareNext() {
  if (install_.has_value() && install_->unopened && context_.now() >= install_->again) {
    install_->unopened = false;
    return CommitPrepared();
  }
  const bool waits = install_ending_ && !SLIPWAY_MUTANT("node-install-over-open-intent");
  if (!install_.has_value() || install_->preparing || waits) return;
  if (context_.now() < install_->again) return;  // Tick calls then
  install_->preparing = true;
  auto intent = std::make_shared<absl::StatusOr<InstallIntent>>();
  context_.jobs->Run([place = place_, name = install_->name,
                      intent] { *intent = PrepareInstall(*place.dir, *place.engine, name); },
                     [this, intent] {
                       if (absl::IsResourceExhausted(intent->status())) return InstallLater();
                       if (!intent->ok()) return GiveUpInstall(intent->status());
                       install_->intent = **intent;
                       install_->prepared = true;
                       ContinueInstall();
                     });
}

// Prepared, and nobody uses the engine any more: the intent goes to the log.
void Group::ContinueInstall() {
  if (!install_->prepared || install_->begun || applying_ || engine_jobs_ > 0) return;
  if (applied_ >= install_->mark.index) {  // the log brought it meanwhile
    const raft::SnapshotMark mark = install_->mark;
    install_.reset();
    raft_->OnInstalled(mark, /*ok=*/true);
    StartQueries();
    StartApply();
    return SchedulePump();
  }
  wal::Batch batch;
  batch.snapshot_intent =
      wal::SnapshotIntent{install_->mark, EncodeInstallDetail(install_->intent)};
  install_->begun = true;
  AppendRecord(std::move(batch), [this] { CommitPrepared(); });
}

void Group::CommitPrepared() {
  auto result = std::make_shared<absl::StatusOr<GroupStore>>();
  context_.jobs->Run(
      [place = place_, group = id_, intent = install_->intent, store = std::exchange(store_, {}),
       result]() mutable {
        NoJournal journal;
        store.machine = nullptr;
        absl::Status status;
        if (store.engine != nullptr) status = store.engine->Close();  // the first time
        store.engine = nullptr;
        if (status.ok()) status = CommitInstall(*place.dir, intent, journal);
        *result = status.ok() ? OpenGroupStore(place, group, /*members=*/{}) : status;
      },
      [this, result] { OnInstalled(*result); });
}

void Group::OnInstalled(const absl::StatusOr<GroupStore>& store) {
  // It is in its place, and the engine has no room to open it; meanwhile the group has no state.
  if (absl::IsResourceExhausted(store.status())) {
    install_->unopened = true;
    install_->again = context_.now() + kRetrySnapshotAfter;
    return;
  }
  if (!store.ok()) {
    return Fatal(base::Annotate(store.status(), absl::StrCat("install in group ", id_)));
  }
  Pump();  // what is held in memory is on its way to the log before what follows
  store_ = *store;
  const raft::SnapshotMark mark = install_->mark;
  // From here on the state is that of the mark, whatever crash comes: recovery completes what has
  // an intent. So the log follows without being waited for.
  const bool held = raft_->TermAt(mark.index) == mark.term;
  wal::Batch batch;
  if (!held) batch.truncate_suffix_from = 1;
  batch.snapshot_done = wal::SnapshotDone{.index = mark.index, .term = mark.term};
  batch.truncate_prefix = mark;
  install_ending_ = true;
  AppendRecord(std::move(batch), [this] {
    install_ending_ = false;
    PrepareNext();
  });
  install_.reset();
  log_start_ = mark;
  snapshot_ = SnapshotName{id_, mark.term, mark.index};
  snapshot_from_ = applied_ = mark.index;
  applied_bytes_ = 0;
  while (!to_apply_.empty() && to_apply_.front().index <= mark.index) {
    unapplied_bytes_ -= to_apply_.front().payload.size();
    to_apply_.pop_front();
  }
  metrics_.applied_index.Set(static_cast<double>(applied_));
  if (context_.world.observer != nullptr) context_.world.observer->OnInstalled(id_, mark);
  raft_->OnInstalled(mark, /*ok=*/true);
  if (held) raft_->OnCompacted(mark);
  PruneSnapshots();
  StartQueries();
  StartApply();
  Pump();
}

// The snapshot is whole: it waits for room, instead of being removed and sent again for ever.
void Group::InstallLater() {
  metrics_.snapshots_receive_failed.Increment();
  install_->preparing = false;
  install_->again = context_.now() + kRetrySnapshotAfter;
}

void Group::GiveUpInstall(const absl::Status& status) {
  const raft::SnapshotMark mark = install_->mark;
  const SnapshotName name = install_->name;
  install_.reset();
  metrics_.snapshots_receive_failed.Increment();
  if (snapshot_ == name) snapshot_.reset();
  if (absl::IsUnavailable(status)) return Fatal(status);  // the disk is gone
  receiver_.NoteError(mark.index, status);
  // Damaged, or of another engine: another one comes.
  context_.jobs->Run(
      [place = place_, name, now = context_.world.clock.Wall(), damaged = absl::IsDataLoss(status),
       why = std::string(status.message())] {
        if (damaged) {
          Quarantine(*place.dir, now, absl::StrCat("snapshot ", ToString(name), ": ", why),
                     "it is removed; the leader sends another one", DamageOf(*place.dir, name))
              .IgnoreError();
        }
        RemoveSnapshot(*place.dir, name).IgnoreError();
      },
      [] {});
  raft_->OnInstalled(mark, /*ok=*/false);
  StartQueries();
  StartApply();
  SchedulePump();
}

}  // namespace slipway::eraft
