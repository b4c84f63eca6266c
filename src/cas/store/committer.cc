#include "cas/store/committer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "cas/errors.h"
#include "cas/store/format.h"

namespace slipway::cas {
namespace {

constexpr size_t kGroupMax = 256;
// Up to so many files or directories are synced each by itself; beyond, the file system as a whole
// is cheaper, although that writes out what others have unsynced.
constexpr size_t kFewSyncs = 8;
// The disk is idle between two syncs of one group, and a group waits for nothing but the disk: so
// several are under way. More of fewer jobs each were no faster.
constexpr size_t kBesideMin = 64;
// Access times are coarse: written down so seldom, or when so many have come together.
constexpr absl::Duration kTouchInterval = absl::Seconds(10);
constexpr size_t kTouchedMax = 1 << 16;

uint32_t UnixSeconds(absl::Time time) {
  return static_cast<uint32_t>(std::clamp<int64_t>(absl::ToUnixSeconds(time), 0, UINT32_MAX));
}

GroupQueue<CommitJob>::Options QueueOptions(const DiskStoreOptions& options) {
  if (options.durability == Durability::kStrict) return {.group_max = 1};
  return {.group_max = kGroupMax,
          .delay_max = options.batch_delay_max,
          .lanes_max = kSyncLanes,
          .beside_min = kBesideMin};
}

bool IsStore(const CommitJob& job) { return job.kind == CommitJob::Kind::kStore; }

}  // namespace

Committer::Committer(Layout& layout, Index& index, base::Clock& clock,
                     const DiskStoreOptions& options, DiskStoreMetrics& metrics)
    : layout_(layout),
      index_(index),
      clock_(clock),
      options_(options),
      metrics_(metrics),
      queue_(QueueOptions(options), clock, [this](Jobs jobs, size_t lane) { Work(jobs, lane); }),
      touches_written_(clock.Monotonic()) {}

void Committer::Run(absl::Span<CommitJob* const> jobs) { queue_.Run(jobs); }

absl::Status Committer::Run(CommitJob& job) {
  CommitJob* const jobs[] = {&job};
  queue_.Run(jobs);
  return job.status;
}

void Committer::Work(Jobs jobs, size_t lane) {
  Group group;
  group.jobs = jobs;
  group.lane = lane;
  SyncContents(group);
  absl::Status status;
  {
    const base::MutexLock lock(names_mutex_);
    AwaitOthers(group);
    ChangeNames(group);
    AddTouched(group);
    const bool large = syncs() && group.dirty.size() > kFewSyncs;
    status = Conclude(group, large ? SyncBeside(group) : SyncNames(group));
  }
  if (!status.ok()) {
    metrics_.commit_errors.Increment();
    SLIPWAY_LOG(kError, "commit to the store failed",
                {{"store", layout_.path()}, {"jobs", jobs.size()}, {"error", status.message()}});
  }
  UpdateGauges();
}

absl::Status Committer::Conclude(Group& group, absl::Status status) {
  if (!status.ok()) {
    TakeBack(group, status);
    GiveUp(group);
  }
  if (!status.ok() || !group.indexed) {
    if (const absl::Status written = WriteIndex(group, syncs()); !written.ok()) {
      TakeBack(group, written);
      for (CommitJob* job : group.jobs) job->status.Update(written);
      // The index still has what went away: nobody may take that for there.
      for (const auto& [hash, record] : group.records) {
        if (!record) SetDoubt(hash);
      }
      status.Update(written);
    }
  }
  for (CommitJob* job : group.jobs) {
    // What was removed or set aside is so, but perhaps not after a power loss.
    if (job->found && !IsStore(*job)) job->status.Update(status);
  }
  SetPending(group, false);
  ended_.NotifyAll();
  return status;
}

void Committer::AwaitOthers(const Group& group) {
  for (const CommitJob* job : group.jobs) {
    while (Pending(job->digest.blake3)) ended_.Wait(names_mutex_);
  }
}

absl::Status Committer::SyncBeside(Group& group) {
  // Nobody may take for durable what the index says already.
  SetPending(group, true);
  SLIPWAY_RETURN_IF_ERROR(WriteIndex(group, /*durable=*/false));
  names_mutex_.Unlock();
  absl::Status status;
  if (!SLIPWAY_MUTANT("cas-ack-before-sync")) status = SyncAll(group.lane);
  names_mutex_.Lock();
  group.indexed = status.ok();
  return status;
}

absl::Status Committer::SyncAll(size_t lane) {
  absl::Status status = layout_.sync_root(lane).SyncFilesystem();
  if (!status.ok()) sync_failures_.fetch_add(1, std::memory_order_acq_rel);
  return status;
}

// The bytes first: a name whose bytes the power took would be a blob that nobody verified.
void Committer::SyncContents(Group& group) {
  if (!syncs() || SLIPWAY_MUTANT("cas-ack-before-sync")) return;
  std::vector<CommitJob*> unsynced;
  for (CommitJob* job : group.jobs) {
    if (IsStore(*job) && !job->synced) unsynced.push_back(job);
  }
  absl::Status status;
  if (unsynced.size() > kFewSyncs) {
    status = SyncAll(group.lane);
  } else {
    for (CommitJob* job : unsynced) status.Update(job->temp->Sync());
  }
  // Which of the files the error is about is not known for certain, so it is final for each.
  for (CommitJob* job : group.jobs) {
    if (!IsStore(*job)) continue;
    if (job->sync_failures != sync_failures()) {
      status.Update(absl::DataLossError("a sync of the file system failed meanwhile"));
    }
    if (!job->synced || job->sync_failures != sync_failures()) job->status.Update(status);
  }
}

void Committer::ChangeNames(Group& group) {
  for (CommitJob* job : group.jobs) {
    if (job->status.ok()) job->status = ChangeName(*job, group);
  }
}

absl::Status Committer::ChangeName(CommitJob& job, Group& group) {
  switch (job.kind) {
    case CommitJob::Kind::kStore:
      return Publish(job, group);
    case CommitJob::Kind::kRemove:
      return Unlink(job, group);
    case CommitJob::Kind::kSetAside:
      return SetAside(job, group);
    case CommitJob::Kind::kRecord:
      return Record(job, group);
    case CommitJob::Kind::kTouch:
      break;
  }
  return absl::OkStatus();
}

absl::Status Committer::Publish(CommitJob& job, Group& group) {
  const Hash& hash = job.digest.blake3;
  SLIPWAY_ASSIGN_OR_RETURN(base::Dir * dir, layout_.FanOut(hash[0]));
  // Before it has a name: what fails after that would have to be taken back.
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, job.temp->Stat());
  group.dirty[hash[0]] = dir;
  // Nothing of a name in doubt is trusted. This is another file, and naming it writes to the
  // directory anew: its sync, if it succeeds, is about this name and no earlier one.
  const bool replace = Doubtful(hash);
  const auto mode = replace ? base::RenameMode::kReplace : base::RenameMode::kNoReplace;
  absl::Status status = dir->Publish(*job.temp, ObjectName(hash), mode);
  if (absl::IsAlreadyExists(status)) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::Meta> there, layout_.StatObject(hash));
    if (there && there->size_bytes == job.digest.size_bytes) {
      // Stored by another meanwhile, perhaps in this group: durable with it or not at all.
      job.found = true;
      metrics_.dedup.Increment();
      return Record(job, group);
    }
    // What is there is no blob of this hash. Its place is taken by what was just verified.
    metrics_.corrupt_size.Increment();
    status = dir->Publish(*job.temp, ObjectName(hash), base::RenameMode::kReplace);
  }
  SLIPWAY_RETURN_IF_ERROR(status);
  group.made.push_back(&job);
  group.changed.push_back(&job);
  if (replace) ClearDoubt(hash);  // if the sync below fails, it is back
  group.records[hash] = RecordOf(meta, clock_.Wall());
  return absl::OkStatus();
}

absl::Status Committer::Unlink(CommitJob& job, Group& group) {
  const Hash& hash = job.digest.blake3;
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::Meta> there, layout_.StatObject(hash));
  if (!there) {
    group.records[hash] = std::nullopt;
    return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(base::Dir * dir, layout_.FanOut(hash[0]));
  SLIPWAY_RETURN_IF_ERROR(dir->Remove(ObjectName(hash)));
  group.dirty[hash[0]] = dir;
  group.changed.push_back(&job);
  group.records[hash] = std::nullopt;
  job.found = true;
  return absl::OkStatus();
}

absl::Status Committer::SetAside(CommitJob& job, Group& group) {
  const Hash& hash = job.digest.blake3;
  SLIPWAY_ASSIGN_OR_RETURN(base::Dir * dir, layout_.FanOut(hash[0]));
  const absl::StatusOr<bool> moved = layout_.SetAside(hash, job.inode, job.reason);
  if (!moved.ok()) {
    SetDoubt(hash);  // it stays where it is, and must not be served
    group.records[hash] = std::nullopt;
    return moved.status();
  }
  job.found = *moved;
  if (!*moved) return absl::OkStatus();
  group.dirty[hash[0]] = dir;
  group.changed.push_back(&job);
  group.quarantine_dirty = true;
  group.records[hash] = std::nullopt;
  return absl::OkStatus();
}

absl::Status Committer::Record(CommitJob& job, Group& group) {
  const Hash& hash = job.digest.blake3;
  if (Doubtful(hash)) return absl::OkStatus();
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::Meta> meta, layout_.StatObject(hash));
  std::optional<IndexRecord>& record = group.records[hash];
  if (!meta) {
    record = std::nullopt;
    return absl::OkStatus();
  }
  record = RecordOf(*meta, clock_.Wall());
  if (job.kind == CommitJob::Kind::kRecord) job.found = true;
  return absl::OkStatus();
}

IndexRecord RecordOf(const base::Meta& meta, absl::Time accessed) {
  IndexRecord record;
  record.codec = kCodecRaw;
  record.size_bytes = meta.size_bytes;
  record.stored_bytes = meta.size_bytes;
  record.created_s = UnixSeconds(meta.mtime);
  record.accessed_s = UnixSeconds(accessed);
  record.inode = meta.inode;
  record.mtime_ns = static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixNanos(meta.mtime)));
  return record;
}

absl::Status Committer::SyncNames(Group& group) {
  if (!syncs() || SLIPWAY_MUTANT("cas-ack-before-sync")) return absl::OkStatus();
  const size_t count = group.dirty.size() + (group.quarantine_dirty ? 1 : 0);
  if (count > kFewSyncs) return SyncAll(group.lane);
  for (const auto& [index, dir] : group.dirty) SLIPWAY_RETURN_IF_ERROR(dir->Sync());
  return group.quarantine_dirty ? layout_.quarantine().Sync() : absl::OkStatus();
}

absl::Status Committer::WriteIndex(Group& group, bool durable) {
  std::vector<Index::Entry> put;
  std::vector<Hash> erase;
  for (const auto& [hash, record] : group.records) {
    if (record) {
      put.emplace_back(hash, *record);
    } else {
      erase.push_back(hash);
    }
  }
  if (put.empty() && erase.empty()) return absl::OkStatus();
  return index_.Apply(put, erase, durable);
}

void Committer::AddTouched(Group& group) {
  const bool asked = std::any_of(group.jobs.begin(), group.jobs.end(), [](const CommitJob* job) {
    return job->kind == CommitJob::Kind::kTouch;
  });
  absl::flat_hash_map<Hash, uint32_t> touched;
  {
    const base::MutexLock lock(mutex_);
    const absl::Duration now = clock_.Monotonic();
    if (!asked && now - touches_written_ < kTouchInterval) return;
    touches_written_ = now;
    touched.swap(touched_);
  }
  for (const auto& [hash, accessed_s] : touched) {
    if (group.records.contains(hash)) continue;
    const auto record = index_.Find(hash);
    if (!record.ok() || !record->has_value() || (*record)->accessed_s >= accessed_s) continue;
    IndexRecord changed = **record;
    changed.accessed_s = accessed_s;
    group.records[hash] = changed;
  }
}

void Committer::TakeBack(Group& group, const absl::Status& status) {
  for (CommitJob* job : group.jobs) {
    if (!IsStore(*job) || !job->status.ok()) continue;
    job->status = status;
    group.records.erase(job->digest.blake3);
  }
  for (CommitJob* job : group.made) {
    const Hash& hash = job->digest.blake3;
    const absl::Status removed = group.dirty[hash[0]]->Remove(ObjectName(hash));
    if (removed.ok() || absl::IsNotFound(removed)) {
      group.records[hash] = std::nullopt;
      continue;
    }
    SetDoubt(hash);
    SLIPWAY_LOG(kError, "blob that could not be made durable could not be removed either",
                {{"store", layout_.path()},
                 {"blob", job->digest.ToString()},
                 {"error", removed.message()}});
  }
  group.made.clear();
}

void Committer::Touch(const Hash& hash) {
  {
    const base::MutexLock lock(mutex_);
    touched_[hash] = UnixSeconds(clock_.Wall());
    const bool due = clock_.Monotonic() - touches_written_ >= kTouchInterval;
    if (!due && touched_.size() < kTouchedMax) return;
    touches_written_ = clock_.Monotonic();  // of those who come now, one writes
  }
  CommitJob job;
  job.kind = CommitJob::Kind::kTouch;
  (void)Run(job);  // a lost access time is no reason to refuse a read; the error is in the log
}

bool Committer::Touched(const Hash& hash) {
  const base::MutexLock lock(mutex_);
  return touched_.contains(hash);
}

// A failed sync has told its error once; the next one may succeed without having written what this
// one was for. So what these names lead to is nothing, until somebody stores the blob again.
void Committer::GiveUp(const Group& group) {
  for (const CommitJob* job : group.changed) SetDoubt(job->digest.blake3);
}

bool Committer::Doubtful(const Hash& hash) {
  if (!AnyDoubtful()) return false;
  const base::MutexLock lock(mutex_);
  return doubts_.contains(hash);
}

bool Committer::Pending(const Hash& hash) {
  if (!any_pending_.load()) return false;
  const base::MutexLock lock(mutex_);
  return pending_.contains(hash);
}

void Committer::SetPending(const Group& group, bool pending) {
  const base::MutexLock lock(mutex_);
  for (const CommitJob* job : group.changed) {
    if (pending) {
      pending_.insert(job->digest.blake3);
    } else {
      pending_.erase(job->digest.blake3);
    }
  }
  any_pending_.store(!pending_.empty());
}

void Committer::SetDoubt(const Hash& hash) {
  const base::MutexLock lock(mutex_);
  doubts_.insert(hash);
  any_doubtful_.store(true, std::memory_order_relaxed);
}

void Committer::ClearDoubt(const Hash& hash) {
  const base::MutexLock lock(mutex_);
  doubts_.erase(hash);
  any_doubtful_.store(!doubts_.empty(), std::memory_order_relaxed);
}

void Committer::UpdateGauges() {
  const absl::StatusOr<IndexStats> stats = index_.Stats();
  if (!stats.ok()) return;
  metrics_.blobs.Set(static_cast<double>(stats->blobs));
  metrics_.stored_bytes.Set(static_cast<double>(stats->stored_bytes));
  metrics_.logical_bytes.Set(static_cast<double>(stats->logical_bytes));
}

}  // namespace slipway::cas
