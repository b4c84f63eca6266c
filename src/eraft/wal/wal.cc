#include "eraft/wal/wal.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/sync/mutex.h"
#include "eraft/wal/requests.h"
#include "eraft/wal/wal_writer.h"

namespace slipway::eraft::wal {
namespace {

constexpr uint32_t kDirectoryMode = 0700;
constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

absl::Status CheckOptions(const WalOptions& options) {
  if (options.segment_bytes < kSegmentBytesMin || options.segment_bytes > kSegmentBytesMax ||
      options.segment_bytes % kSegmentHeaderBytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("open write-ahead log: segments of ", options.segment_bytes,
                     " bytes; choose a multiple of ", kSegmentHeaderBytes, " from ",
                     kSegmentBytesMin, " to ", kSegmentBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace

// Kept alive by the jobs. `writer` is used by one job at a time and by nobody else.
struct Wal::State : std::enable_shared_from_this<Wal::State> {
  State(const WalOptions& o, const WalParts& p) : options(o), parts(p), metrics(p.metrics) {}

  const WalOptions options;
  const WalParts parts;
  WalMetrics metrics;
  std::unique_ptr<base::Dir> dir;
  std::optional<TwoCopyFile> hard;
  HardCopies hard_found;
  std::unique_ptr<SegmentFiles> files;
  DurableLog log;
  std::unique_ptr<WalWriter> writer;

  mutable base::Mutex mutex;
  base::CondVar changed;
  std::deque<Pending> queue ABSL_GUARDED_BY(mutex);
  uint64_t queued_bytes ABSL_GUARDED_BY(mutex) = 0;  // until answered
  absl::Duration step_oldest ABSL_GUARDED_BY(mutex);
  bool scheduled ABSL_GUARDED_BY(mutex) = false;  // a step is queued or runs
  bool running ABSL_GUARDED_BY(mutex) = false;
  bool upkeep ABSL_GUARDED_BY(mutex) = false;  // queued or running
  bool upkeep_running ABSL_GUARDED_BY(mutex) = false;
  bool upkeep_again ABSL_GUARDED_BY(mutex) = false;
  bool closed ABSL_GUARDED_BY(mutex) = false;
  bool gone ABSL_GUARDED_BY(mutex) = false;  // the Wal is destroyed: jobs touch nothing
  bool no_room ABSL_GUARDED_BY(mutex) = false;
  bool want_hard ABSL_GUARDED_BY(mutex) = false;
  absl::Duration hard_written ABSL_GUARDED_BY(mutex);
  absl::Status no_room_status ABSL_GUARDED_BY(mutex);
  absl::Status failed ABSL_GUARDED_BY(mutex);
  std::function<void(absl::Status)> on_failure ABSL_GUARDED_BY(mutex);

  absl::Status Open(WalRecovery* recovery);
  absl::StatusOr<LogImage> Look(WalRecovery* recovery);
  absl::Status OpenHard();
  absl::Status Schedule() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void ScheduleUpkeep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Linger() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void RunStep();
  void Finish(std::vector<Pending> written, std::deque<Pending> rest, const absl::Status& status);
  void Fail(const absl::Status& status);
  void RunUpkeep();
  absl::Status Upkeep();
};

// What the disk holds; changes nothing, so that a damaged log stays as it was found.
absl::StatusOr<LogImage> Wal::State::Look(WalRecovery* recovery) {
  SLIPWAY_ASSIGN_OR_RETURN(const TwoCopyState copies, ReadTwoCopy(parts.dir, kHardName));
  if (recovery != nullptr) recovery->hard_copies_damaged = copies.damaged;
  if (copies.newest.has_value()) {
    SLIPWAY_ASSIGN_OR_RETURN(hard_found, DecodeHard(copies.newest->payload));
  }
  LogImage image;
  const base::Owned<base::Dir> opened = parts.dir.OpenDir(kWalDirectory);
  if (!absl::IsNotFound(opened.status())) {
    SLIPWAY_RETURN_IF_ERROR(opened.status());
    ReadOptions read;
    read.cluster = options.cluster;
    read.durable_sequence = hard_found.durable_sequence;
    SLIPWAY_ASSIGN_OR_RETURN(image, ReadLog(**opened, read));
  } else if (hard_found.durable_sequence > 0) {
    image.report = MissingLog(hard_found.durable_sequence);
  }
  if (recovery != nullptr) {
    recovery->torn_bytes = image.torn_bytes;
    for (const SegmentSummary& segment : image.segments) recovery->records += segment.records;
    recovery->report = image.report;
  }
  if (!image.report.empty()) {
    return absl::DataLossError(
        absl::StrCat("open write-ahead log: it is damaged where it had been durable; nothing was "
                     "changed; look with `eraftctl wal verify`\n",
                     image.report.Text()));
  }
  // It is made before the first segment is.
  if (!copies.newest.has_value() && copies.damaged == 0 && !image.segments.empty()) {
    return absl::DataLossError(absl::StrCat("open write-ahead log: ", kHardName,
                                            " is missing beside ", image.segments.size(),
                                            " segments, and with it how far they were durable; ",
                                            "restore it from a backup or rebuild this replica"));
  }
  return image;
}

absl::Status Wal::State::OpenHard() {
  absl::StatusOr<TwoCopyFile> opened = TwoCopyFile::Open(parts.dir, kHardName);
  if (absl::IsNotFound(opened.status())) {
    opened = TwoCopyFile::Create(parts.dir, kHardName, EncodeHard({}));
  }
  SLIPWAY_RETURN_IF_ERROR(opened.status());
  hard = *std::move(opened);
  return absl::OkStatus();
}

absl::Status Wal::State::Open(WalRecovery* recovery) {
  SLIPWAY_ASSIGN_OR_RETURN(const LogImage image, Look(recovery));
  SLIPWAY_RETURN_IF_ERROR(OpenHard());
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(parts.dir, kWalDirectory, kDirectoryMode));
  SLIPWAY_RETURN_IF_ERROR(SyncFailed(parts.dir.Sync()));
  SLIPWAY_ASSIGN_OR_RETURN(dir, parts.dir.OpenDir(kWalDirectory));
  files = std::make_unique<SegmentFiles>(*dir, options.segment_bytes);
  SLIPWAY_RETURN_IF_ERROR(files->Open());
  writer = std::make_unique<WalWriter>(WalWriter::Parts{log, *files, *hard, parts.clock, metrics},
                                       options.cluster, options.segment_bytes);
  SLIPWAY_RETURN_IF_ERROR(writer->Start(*dir, image));
  base::MutexLock lock(mutex);
  hard_written = parts.clock.Monotonic();
  ScheduleUpkeep();
  return absl::OkStatus();
}

absl::Status Wal::State::Schedule() {
  if (scheduled) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(parts.writer.Submit([self = shared_from_this()] { self->RunStep(); }));
  scheduled = true;
  return absl::OkStatus();
}

// Wakes up early only for the end: that many requests came is no reason, they all go at once.
void Wal::State::Linger() {
  if (options.linger <= absl::ZeroDuration()) return;
  const absl::Duration until = parts.clock.Monotonic() + options.linger;
  while (!gone && !closed) {
    const absl::Duration left = until - parts.clock.Monotonic();
    if (left <= absl::ZeroDuration()) return;
    changed.WaitFor(mutex, left);
  }
}

void Wal::State::RunStep() {
  std::deque<Pending> taken;
  absl::Status status;
  bool hard_wanted = false;
  {
    base::MutexLock lock(mutex);
    Linger();
    if (gone) {
      scheduled = false;
      return;
    }
    running = true;
    status = failed;
    taken.swap(queue);
    if (!taken.empty()) step_oldest = taken.front().queued_at;
    hard_wanted = std::exchange(want_hard, false);
  }
  std::vector<Pending> written;
  if (status.ok()) status = writer->Step(taken, written);
  if (status.ok() && hard_wanted && writer->hard_is_old()) status = writer->WriteHard();
  Finish(std::move(written), std::move(taken), status);
}

// Answers what was written, and puts back what was not; or answers everything with the final error.
void Wal::State::Finish(std::vector<Pending> written, std::deque<Pending> rest,
                        const absl::Status& status) {
  const bool full = absl::IsResourceExhausted(status);
  if (!status.ok() && !full) {
    Fail(status);
    base::MutexLock lock(mutex);
    for (Pending& pending : rest) written.push_back(std::move(pending));
    for (Pending& pending : queue) written.push_back(std::move(pending));
    rest.clear();
    queue.clear();
  }
  uint64_t bytes = 0;
  for (Pending& pending : written) {
    bytes += pending.bytes;
    if (pending.done) pending.done(full ? absl::OkStatus() : status);
    pending.done = nullptr;
  }
  base::MutexLock lock(mutex);
  queued_bytes -= bytes;
  while (!rest.empty()) {
    queue.push_front(std::move(rest.back()));
    rest.pop_back();
  }
  no_room = full;
  if (full) no_room_status = status;
  scheduled = running = false;
  if (!full && !queue.empty()) {
    const absl::Status submitted = Schedule();
    // A pool that is full runs it when the next request comes, or at the next tick.
    submitted.IgnoreError();
  }
  ScheduleUpkeep();
  changed.NotifyAll();
}

void Wal::State::Fail(const absl::Status& status) {
  std::function<void(absl::Status)> handler;
  {
    base::MutexLock lock(mutex);
    if (!failed.ok()) return;
    failed = status;
    handler = on_failure;
  }
  if (handler) handler(status);
}

void Wal::State::ScheduleUpkeep() {
  if (gone || !failed.ok()) return;
  if (upkeep) {
    upkeep_again = true;
    return;
  }
  const auto submitted =
      parts.background.Submit([self = shared_from_this()] { self->RunUpkeep(); });
  upkeep = submitted.ok();
}

void Wal::State::RunUpkeep() {
  {
    base::MutexLock lock(mutex);
    if (gone) return;
    upkeep_running = true;
    upkeep_again = false;
  }
  const absl::Status status = Upkeep();
  // Without room there is no spare now; every other error is the end.
  if (!status.ok() && !absl::IsResourceExhausted(status)) Fail(status);
  if (absl::IsResourceExhausted(status)) metrics.space_errors.Increment();
  base::MutexLock lock(mutex);
  upkeep = upkeep_running = false;
  if (upkeep_again && status.ok()) ScheduleUpkeep();
  changed.NotifyAll();
}

absl::Status Wal::State::Upkeep() {
  // Only from the oldest on, each durably before the next: a crash leaves no gap between segments.
  for (;;) {
    const std::optional<uint64_t> number = log.FindFreeSegment();
    if (!number.has_value()) break;
    SLIPWAY_RETURN_IF_ERROR(files->Retire(*number));
    log.RemoveSegment(*number);
  }
  SLIPWAY_RETURN_IF_ERROR(files->PrepareSpare());
  const size_t count = log.segment_count();
  metrics.segments.Set(static_cast<double>(count));
  metrics.bytes.Set(static_cast<double>((count + 1) * options.segment_bytes));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Wal>> Wal::Open(const WalOptions& options, const WalParts& parts,
                                               WalRecovery* recovery) {
  SLIPWAY_RETURN_IF_ERROR(CheckOptions(options));
  auto state = std::make_shared<State>(options, parts);
  SLIPWAY_RETURN_IF_ERROR(state->Open(recovery));
  return std::unique_ptr<Wal>(new Wal(std::move(state)));
}

Wal::Wal(std::shared_ptr<State> state) : state_(std::move(state)) {}

Wal::~Wal() {
  std::deque<Pending> left;
  {
    base::MutexLock lock(state_->mutex);
    state_->closed = state_->gone = true;
    state_->changed.NotifyAll();
    while (state_->running || state_->upkeep_running) state_->changed.Wait(state_->mutex);
    left.swap(state_->queue);
  }
  for (Pending& pending : left) {
    if (pending.done) pending.done(absl::CancelledError("write-ahead log: it was closed"));
  }
}

absl::Status Wal::Append(raft::GroupId group, Batch batch,
                         absl::AnyInvocable<void(absl::Status)> done) {
  State& s = *state_;
  if (batch.empty()) return absl::InvalidArgumentError("append to the log: nothing to append");
  // Never changes after Open.
  const uint64_t record_bytes_max = s.writer->batch_bytes_max() / kRecordsPerBatchMin;
  SLIPWAY_RETURN_IF_ERROR(
      CheckEntries(group, batch.entries, std::max(record_bytes_max, kEntryRecordBytesMax)));
  Batch rest = batch;
  rest.entries.clear();
  SLIPWAY_RETURN_IF_ERROR(CheckRest(rest, record_bytes_max));
  std::vector<Pending> parts;
  uint64_t bytes = 0;
  for (Batch& part : Split(std::move(batch), record_bytes_max)) {
    Pending pending;
    pending.group = group;
    pending.bytes = EncodedBytes(part);
    pending.batch = std::move(part);
    bytes += pending.bytes;
    parts.push_back(std::move(pending));
  }
  parts.back().done = std::move(done);
  const absl::Duration now = s.parts.clock.Monotonic();

  base::MutexLock lock(s.mutex);
  SLIPWAY_RETURN_IF_ERROR(s.failed);
  if (s.closed) return absl::FailedPreconditionError("append to the log: it is closed");
  if (s.queued_bytes > 0 && s.queued_bytes + bytes > s.options.queue_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("append to the log: ", s.queued_bytes, " bytes wait for the disk, at most ",
                     s.options.queue_bytes_max, "; try again later"));
  }
  // While there is no room, Tick asks again.
  if (!s.no_room) SLIPWAY_RETURN_IF_ERROR(s.Schedule());
  s.queued_bytes += bytes;
  for (Pending& pending : parts) {
    pending.queued_at = now;
    s.queue.push_back(std::move(pending));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<raft::Entry>> Wal::Read(raft::GroupId group, raft::Index first,
                                                   raft::Index last, uint64_t bytes_max) const {
  return state_->log.Read(group, first, last, bytes_max);
}

std::optional<GroupView> Wal::Find(raft::GroupId group) const { return state_->log.Find(group); }

std::vector<raft::GroupId> Wal::Groups() const { return state_->log.Groups(); }

absl::StatusOr<raft::Restored> Wal::Restore(raft::GroupId group) const {
  const std::optional<GroupView> view = Find(group);
  raft::Restored restored;
  if (view.has_value()) {
    restored.hard_state = view->hard_state;
    restored.snapshot = view->mark;
  }
  const auto copy = state_->hard_found.groups.find(group);
  if (copy != state_->hard_found.groups.end()) {
    // A vote that is in HARD only (the log was salvaged) comes back.
    restored.hard_state = NewerOf(restored.hard_state, copy->second);
  } else if (!view.has_value()) {
    return absl::NotFoundError(absl::StrCat("restore group ", group, ": the log has none"));
  }
  if (view.has_value() && view->last_index >= view->first_index) {
    SLIPWAY_ASSIGN_OR_RETURN(
        restored.entries, state_->log.Read(group, view->first_index, view->last_index, kNoLimit));
  }
  // The commit hint may be of entries that a crash took before they were acknowledged.
  const raft::Index last = view.has_value() ? view->last_index : 0;
  restored.hard_state.commit =
      std::max(std::min(restored.hard_state.commit, last), restored.snapshot.index);
  restored.applied = restored.snapshot.index;
  return restored;
}

void Wal::Tick() {
  State& s = *state_;
  const absl::Duration now = s.parts.clock.Monotonic();
  base::MutexLock lock(s.mutex);
  if (s.closed || !s.failed.ok()) return;
  s.ScheduleUpkeep();
  if (now - s.hard_written >= kHardCopyAgeMax) {
    s.want_hard = true;
    s.hard_written = now;
  }
  if (s.want_hard || !s.queue.empty()) s.Schedule().IgnoreError();  // the next tick tries again
}

absl::Status Wal::status() const {
  base::MutexLock lock(state_->mutex);
  if (!state_->failed.ok()) return state_->failed;
  return state_->no_room ? state_->no_room_status : absl::OkStatus();
}

absl::Duration Wal::OldestWait() const {
  const absl::Duration now = state_->parts.clock.Monotonic();
  base::MutexLock lock(state_->mutex);
  if (state_->queued_bytes == 0) return absl::ZeroDuration();
  if (state_->running || state_->queue.empty()) return now - state_->step_oldest;
  return now - state_->queue.front().queued_at;
}

uint64_t Wal::queued_bytes() const {
  base::MutexLock lock(state_->mutex);
  return state_->queued_bytes;
}

size_t Wal::segment_count() const { return state_->log.segment_count(); }

void Wal::OnFailure(std::function<void(absl::Status)> handler) {
  base::MutexLock lock(state_->mutex);
  state_->on_failure = std::move(handler);
}

absl::Status Wal::Close() {
  State& s = *state_;
  {
    base::MutexLock lock(s.mutex);
    if (s.closed) return s.failed;
    s.closed = true;
    s.changed.NotifyAll();
  }
  // The pool is helped where it has no threads; and what it had refused to take is done here.
  for (;;) {
    bool refused = false;
    {
      base::MutexLock lock(s.mutex);
      if (!s.scheduled) {
        refused = !s.queue.empty() && !s.no_room && s.failed.ok();
        if (!refused) break;
        s.scheduled = true;
      }
    }
    if (refused) {
      s.RunStep();
      continue;
    }
    if (s.parts.writer.RunOne()) continue;
    base::MutexLock lock(s.mutex);
    if (s.scheduled) s.changed.WaitFor(s.mutex, absl::Milliseconds(10));
  }
  {
    base::MutexLock lock(s.mutex);
    SLIPWAY_RETURN_IF_ERROR(s.failed);
    if (!s.queue.empty()) return s.no_room_status;
    s.running = true;
  }
  absl::Status status = s.writer->Seal();
  if (status.ok()) status = s.writer->WriteHard();
  if (!status.ok()) s.Fail(status);
  base::MutexLock lock(s.mutex);
  s.running = false;
  s.changed.NotifyAll();
  return status;
}

}  // namespace slipway::eraft::wal
