#include "eraft/store/rocksdb_engine.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/sync/mutex.h"
#include "eraft/store/disk_room.h"
#include "eraft/store/keys.h"
#include "eraft/store/rocksdb_files.h"
#include "eraft/store/row_cache.h"

namespace slipway::eraft {
namespace {

// Each key carries a checksum from the batch through the memtable to the file (E163).
constexpr size_t kProtectionBytesPerKey = 8;
constexpr uint64_t kIngestFileBytes = uint64_t{256} << 20;

constexpr double kMemtableFilterShare = 0.02;
constexpr uint64_t kRowCacheBytesMax = 16 << 20;

// Rows that are added in the order of their keys: answers of a session, and what else comes with a
// number at the end. Where the last one went is where the next one goes.
class RisingKeys : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "slipway.RisingKeys"; }
  bool InDomain(const rocksdb::Slice& key) const override {
    return key.size() == kAnswerKeyBytes && key[kKindAt] == static_cast<char>(KeyKind::kSession);
  }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), key.size() - sizeof(CommandId)};
  }

 private:
  static constexpr size_t kKindAt = 5;           // behind format and group
  static constexpr size_t kAnswerKeyBytes = 26;  // kind, shard, client and command follow
};

rocksdb::Slice ToSlice(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view FromSlice(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Whether the engine's own lock is meant: a path may have "lock" in it, too. ENOLCK is RocksDB's
// way to say that this process holds it.
bool IsHeld(absl::string_view text) {
  return absl::StrContains(text, "/LOCK: No locks available") ||
         absl::StrContains(text, "/LOCK: Resource temporarily unavailable");
}

absl::Status ToStatus(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrCat("rocksdb ", what, ": ", status.ToString());
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(text);
  if (status.IsInvalidArgument()) return absl::InvalidArgumentError(text);
  if (status.IsShutdownInProgress()) return absl::FailedPreconditionError(text);
  if (IsHeld(text)) {
    return absl::FailedPreconditionError(absl::StrCat(text, "; another process has it"));
  }
  return absl::DataLossError(text);
}

rocksdb::CompressionType ToRocks(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return rocksdb::kNoCompression;
    case Compression::kSnappy:
      return rocksdb::kSnappyCompression;
    case Compression::kLz4:
      return rocksdb::kLZ4Compression;
    case Compression::kZstd:
      return rocksdb::kZSTD;
  }
  return rocksdb::kNoCompression;
}

rocksdb::WriteOptions NoOwnLog() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  options.protection_bytes_per_key = kProtectionBytesPerKey;
  return options;
}

// Borrowed by one engine's RocksDB, which it outlives.
struct Disk {
  explicit Disk(FreeBytes free_bytes) : room(std::move(free_bytes)), env(RocksDbEnv(room)) {}
  DiskRoom room;
  const std::unique_ptr<rocksdb::Env> env;
};

// Counts what became durable, so that GetDurable asks the files only after a flush.
class Listener : public rocksdb::EventListener {
 public:
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { ++flushes_; }
  uint64_t flushes() const { return flushes_; }

  void OnTableFileCreationStarted(const rocksdb::TableFileCreationBriefInfo& info) override {
    const bool of_compaction = info.reason == rocksdb::TableFileCreationReason::kCompaction;
    NoteTableOfCompaction(of_compaction ? info.file_path : "");
  }
  // A compaction that found no room has left everything as it was, and is tried again.
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && error->IsNoSpace()) {
      *error = rocksdb::Status::OK();
    }
  }

 private:
  std::atomic<uint64_t> flushes_{1};
};

class RocksIterator : public Iterator {
 public:
  RocksIterator(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, const KeyRange& range)
      : begin_(range.begin), end_(range.end), end_slice_(end_) {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    options.iterate_upper_bound = &end_slice_;
    iterator_.reset(db.NewIterator(options));
    iterator_->Seek(begin_);
  }
  bool valid() const override { return iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  void Seek(absl::string_view key) override {
    iterator_->Seek(key < begin_ ? rocksdb::Slice(begin_) : ToSlice(key));
  }
  absl::string_view key() const override { return FromSlice(iterator_->key()); }
  absl::string_view value() const override { return FromSlice(iterator_->value()); }
  absl::Status status() const override { return ToStatus(iterator_->status(), "scan"); }

 private:
  const std::string begin_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

absl::StatusOr<std::optional<std::string>> Lookup(rocksdb::DB& db,
                                                  const rocksdb::ReadOptions& options,
                                                  absl::string_view key) {
  std::string value;
  const rocksdb::Status status = db.Get(options, ToSlice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  SLIPWAY_RETURN_IF_ERROR(ToStatus(status, "get"));
  return value;
}

class RocksView : public View {
 public:
  explicit RocksView(rocksdb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~RocksView() override { db_.ReleaseSnapshot(snapshot_); }
  RocksView(const RocksView&) = delete;
  RocksView& operator=(const RocksView&) = delete;

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    return Lookup(db_, options, key);
  }
  base::Owned<Iterator> Scan(const KeyRange& range) const override {
    SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
    return std::make_unique<RocksIterator>(db_, snapshot_, range);
  }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* const snapshot_;
};

class RocksEngine : public Engine {
 public:
  RocksEngine(std::unique_ptr<Disk> disk, std::unique_ptr<rocksdb::DB> db,
              std::shared_ptr<Listener> listener, std::string root, std::string path)
      : root_(std::move(root)),
        path_(std::move(path)),
        listener_(std::move(listener)),
        disk_(std::move(disk)),
        db_(std::move(db)) {}
  ~RocksEngine() override { Close().IgnoreError(); }
  RocksEngine(const RocksEngine&) = delete;
  RocksEngine& operator=(const RocksEngine&) = delete;

  absl::Status Write(const Batch& batch) override;
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) override;
  base::Owned<View> NewView() override;
  absl::Status Flush() override;
  absl::StatusOr<std::optional<std::string>> GetDurable(absl::string_view key) override;
  absl::Status Checkpoint(absl::string_view path) override;
  absl::Status Ingest(Iterator& source) override;
  absl::StatusOr<uint64_t> ApproximateBytes(const KeyRange& range) override;
  EngineKind kind() const override { return EngineKind::kRocksDb; }
  void StopWaiting() override;
  absl::Status Close() override;

 private:
  // The last durable answer for one key, and how many flushes had happened when it was read.
  struct Durable {
    uint64_t flushes = 0;
    std::string key;
    std::optional<std::string> value;
  };
  absl::Status CheckOpen() const;
  absl::Status IngestFile(Iterator& source, const std::string& file);
  // After a write. Who asks while it is under way may still get what a row was before, for one row
  // until all rows are known; never first what it is and then what it was.
  void KnowRows(const Batch& batch) ABSL_LOCKS_EXCLUDED(rows_mutex_);

  const std::string root_;
  const std::string path_;
  const std::shared_ptr<Listener> listener_;
  const std::unique_ptr<Disk> disk_;
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> cut_short_{false};  // its own threads work no more
  std::atomic<uint64_t> ingested_files_{0};
  base::Mutex write_mutex_;  // the rows that are known are those of the last write
  base::Mutex rows_mutex_;
  RowCache rows_ ABSL_GUARDED_BY(rows_mutex_){kRowCacheBytesMax};
  base::Mutex durable_mutex_;
  Durable durable_ ABSL_GUARDED_BY(durable_mutex_);
};

absl::Status RocksEngine::CheckOpen() const {
  return closed_ ? absl::FailedPreconditionError("the engine is closed") : absl::OkStatus();
}

absl::Status RocksEngine::Write(const Batch& batch) {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  if (batch.empty()) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(disk_->room.Admit());
  rocksdb::WriteBatch out(batch.bytes() + batch.changes().size() * 16, /*max_bytes=*/0,
                          kProtectionBytesPerKey, /*default_cf_ts_sz=*/0);
  for (const Batch::Change& change : batch.changes()) {
    rocksdb::Status added;
    switch (change.kind) {
      case Batch::Kind::kPut:
        added = out.Put(change.key, change.value);
        break;
      case Batch::Kind::kDelete:
        added = out.Delete(change.key);
        break;
      case Batch::Kind::kDeleteRange:
        added = out.DeleteRange(change.key, change.value);
        break;
    }
    SLIPWAY_RETURN_IF_ERROR(ToStatus(added, "write"));
  }
  const base::MutexLock lock(write_mutex_);
  SLIPWAY_RETURN_IF_ERROR(ToStatus(db_->Write(NoOwnLog(), &out), "write"));
  KnowRows(batch);
  return absl::OkStatus();
}

// Rows come in here only, never where one is read: what a reader has found may be old by then.
void RocksEngine::KnowRows(const Batch& batch) {
  const base::MutexLock lock(rows_mutex_);
  for (const Batch::Change& change : batch.changes()) {
    switch (change.kind) {
      case Batch::Kind::kPut:
        rows_.Put(change.key, change.value);
        break;
      case Batch::Kind::kDelete:
        rows_.Delete(change.key);
        break;
      case Batch::Kind::kDeleteRange:
        rows_.Clear();
        break;
    }
  }
}

absl::StatusOr<std::optional<std::string>> RocksEngine::Get(absl::string_view key) {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  {
    const base::MutexLock lock(rows_mutex_);
    if (const std::string* const row = rows_.Find(key)) return *row;
  }
  return Lookup(*db_, rocksdb::ReadOptions(), key);
}

base::Owned<View> RocksEngine::NewView() {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  return std::make_unique<RocksView>(*db_);
}

absl::Status RocksEngine::Flush() {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  SLIPWAY_RETURN_IF_ERROR(disk_->room.Admit());
  return ToStatus(db_->Flush(rocksdb::FlushOptions()), "flush");
}

absl::StatusOr<std::optional<std::string>> RocksEngine::GetDurable(absl::string_view key) {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  base::MutexLock lock(durable_mutex_);
  const uint64_t flushes = listener_->flushes();  // before the read: a later one is asked for again
  if (durable_.flushes == flushes && durable_.key == key) return durable_.value;
  // Reads what files hold and neither memtable. A file is part of the state only after it, its
  // directory and the list of files (MANIFEST) are synced, in the order of the writes.
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kPersistedTier;
  SLIPWAY_ASSIGN_OR_RETURN(std::optional<std::string> value, Lookup(*db_, options, key));
  durable_ = {flushes, std::string(key), value};
  return value;
}

absl::Status RocksEngine::Checkpoint(absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  SLIPWAY_RETURN_IF_ERROR(disk_->room.Admit());
  rocksdb::Checkpoint* made = nullptr;
  SLIPWAY_RETURN_IF_ERROR(ToStatus(rocksdb::Checkpoint::Create(db_.get(), &made), "checkpoint"));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  const std::string target = absl::StrCat(root_, "/", path);
  const rocksdb::Status status = checkpoint->CreateCheckpoint(target);
  if (status.IsInvalidArgument() && absl::StrContains(status.ToString(), "exists")) {
    return absl::AlreadyExistsError(absl::StrCat("checkpoint to ", path, ": it exists"));
  }
  return ToStatus(status, "checkpoint");
}

absl::Status RocksEngine::IngestFile(Iterator& source, const std::string& file) {
  const rocksdb::Options options = db_->GetOptions();
  {
    const DiskRoom::Impatient impatient;  // RocksDB does not know of the table yet
    rocksdb::SstFileWriter writer((rocksdb::EnvOptions(options)), options);
    SLIPWAY_RETURN_IF_ERROR(ToStatus(writer.Open(file), "ingest"));
    for (; source.valid() && writer.FileSize() < kIngestFileBytes; source.Next()) {
      SLIPWAY_RETURN_IF_ERROR(
          ToStatus(writer.Put(ToSlice(source.key()), ToSlice(source.value())), "ingest"));
    }
    SLIPWAY_RETURN_IF_ERROR(source.status());
    SLIPWAY_RETURN_IF_ERROR(ToStatus(writer.Finish(), "ingest"));
  }
  rocksdb::IngestExternalFileOptions how;
  how.move_files = true;
  how.verify_checksums_before_ingest = true;
  return ToStatus(db_->IngestExternalFile({file}, how), "ingest");
}

absl::Status RocksEngine::Ingest(Iterator& source) {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  {
    const base::MutexLock lock(rows_mutex_);
    rows_.Clear();
  }
  while (source.valid()) {
    SLIPWAY_RETURN_IF_ERROR(disk_->room.Admit());
    // In the engine's own directory, so that moving it in is a rename; a left-over is overwritten.
    const std::string file = absl::StrCat(root_, "/", path_, "/ingest-", ingested_files_++, ".tmp");
    const absl::Status status = IngestFile(source, file);
    db_->GetEnv()->DeleteFile(file).PermitUncheckedError();  // gone already when all went well
    SLIPWAY_RETURN_IF_ERROR(status);
  }
  return source.status();
}

absl::StatusOr<uint64_t> RocksEngine::ApproximateBytes(const KeyRange& range) {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  const rocksdb::Range rocks_range(range.begin, range.end);
  uint64_t size = 0;
  SLIPWAY_RETURN_IF_ERROR(ToStatus(
      db_->GetApproximateSizes(options, db_->DefaultColumnFamily(), &rocks_range, 1, &size),
      "size"));
  return size;
}

// A writer may be waiting for a flush or a compaction that waits for room, or that has given up.
void RocksEngine::StopWaiting() {
  if (!disk_->room.Admit().ok() && !cut_short_.exchange(true)) {
    rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/false);
  }
  disk_->room.Abandon();
}

absl::Status RocksEngine::Close() {
  if (closed_.exchange(true)) return absl::OkStatus();
  StopWaiting();
  absl::Status flushed;
  if (!cut_short_) flushed = ToStatus(db_->Flush(rocksdb::FlushOptions()), "flush");
  const absl::Status closed = ToStatus(db_->Close(), "close");
  // What found no room is in the Raft log.
  if (cut_short_ || absl::IsResourceExhausted(flushed)) return absl::OkStatus();
  return flushed.ok() ? closed : flushed;
}

class Home : public EngineHome {
 public:
  Home(std::string root, RocksDbOptions options)
      : root_(std::move(root)),
        options_(std::move(options)),
        cache_(rocksdb::NewLRUCache(options_.block_cache_bytes)) {
    if (options_.rate_limit_bytes > 0) {
      limiter_.reset(
          rocksdb::NewGenericRateLimiter(static_cast<int64_t>(options_.rate_limit_bytes)));
    }
  }
  base::Owned<Engine> Open(absl::string_view path) override;
  EngineKind kind() const override { return EngineKind::kRocksDb; }
  bool IsImmutable(absl::string_view file_name) const override {
    return absl::EndsWith(file_name, ".sst");
  }

 private:
  rocksdb::Options MakeOptions() const;

  const std::string root_;
  const RocksDbOptions options_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<rocksdb::RateLimiter> limiter_;
};

rocksdb::Options Home::MakeOptions() const {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.format_version = 5;
  if (options_.bloom_bits > 0) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(options_.bloom_bits));
  }
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.paranoid_file_checks = true;  // a file that was written is read back once
  options.force_consistency_checks = true;
  options.memtable_protection_bytes_per_key = kProtectionBytesPerKey;
  options.atomic_flush = true;  // should there ever be a second column family (E151)
  options.write_buffer_size = options_.write_buffer_bytes;
  // A row that is not there, such as the answer to a command that is new, is not searched for.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = kMemtableFilterShare;
  options.memtable_insert_with_hint_prefix_extractor = std::make_shared<RisingKeys>();
  options.max_background_jobs = std::max(options_.threads, 1);
  options.compression = ToRocks(options_.compression);
  options.rate_limiter = limiter_;
  options.level_compaction_dynamic_level_bytes = true;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.avoid_flush_during_shutdown = true;  // Close flushes, where there is room
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

base::Owned<Engine> Home::Open(absl::string_view path) {
  rocksdb::Options options = MakeOptions();
  auto disk = std::make_unique<Disk>(options_.free_bytes);
  options.env = disk->env.get();
  auto listener = std::make_shared<Listener>();
  options.listeners.push_back(listener);
  rocksdb::DB* opened = nullptr;
  const std::string directory = absl::StrCat(root_, "/", path);
  const DiskRoom::Impatient impatient;  // whoever opens decides whether to wait
  SLIPWAY_RETURN_IF_ERROR(ToStatus(rocksdb::DB::Open(options, directory, &opened), "open"));
  return std::make_unique<RocksEngine>(std::move(disk), std::unique_ptr<rocksdb::DB>(opened),
                                       std::move(listener), root_, std::string(path));
}

}  // namespace

std::unique_ptr<EngineHome> RocksDbHome(std::string root, RocksDbOptions options) {
  return std::make_unique<Home>(std::move(root), std::move(options));
}

}  // namespace slipway::eraft
