#include "eraft/store/leveldb_engine.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <optional>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "eraft/store/leveldb_files.h"

namespace slipway::eraft {
namespace {

constexpr uint64_t kCopyBatchBytes = 1 << 20;

leveldb::Slice ToSlice(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view FromSlice(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

// Whether the engine's own lock is meant: a path may have "lock" in it, too.
bool IsHeld(absl::string_view text) {
  return absl::StrContains(text, "/LOCK: already held by process") ||
         absl::StrContains(text, "/LOCK: Resource temporarily unavailable");
}

absl::Status ToStatus(const leveldb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrCat("leveldb ", what, ": ", status.ToString());
  if (absl::StrContains(text, "No space left")) return absl::ResourceExhaustedError(text);
  if (status.IsInvalidArgument()) return absl::InvalidArgumentError(text);
  if (IsHeld(text)) {
    return absl::FailedPreconditionError(absl::StrCat(text, "; another process has it"));
  }
  return absl::DataLossError(text);
}

class NoLogger : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

// ---- The engine ----

absl::StatusOr<std::optional<std::string>> Lookup(leveldb::DB& db,
                                                  const leveldb::Snapshot* snapshot,
                                                  absl::string_view key) {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.snapshot = snapshot;
  std::string value;
  const leveldb::Status status = db.Get(options, ToSlice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  SLIPWAY_RETURN_IF_ERROR(ToStatus(status, "get"));
  return value;
}

class LevelIterator : public Iterator {
 public:
  LevelIterator(leveldb::DB& db, const leveldb::Snapshot* snapshot, KeyRange range)
      : range_(std::move(range)) {
    leveldb::ReadOptions options;
    options.verify_checksums = true;
    options.snapshot = snapshot;
    iterator_.reset(db.NewIterator(options));
    iterator_->Seek(range_.begin);
  }
  bool valid() const override { return iterator_->Valid() && key() < range_.end; }
  void Next() override { iterator_->Next(); }
  void Seek(absl::string_view key) override {
    iterator_->Seek(key < range_.begin ? leveldb::Slice(range_.begin) : ToSlice(key));
  }
  absl::string_view key() const override { return FromSlice(iterator_->key()); }
  absl::string_view value() const override { return FromSlice(iterator_->value()); }
  absl::Status status() const override { return ToStatus(iterator_->status(), "scan"); }

 private:
  const KeyRange range_;
  std::unique_ptr<leveldb::Iterator> iterator_;
};

class LevelView : public View {
 public:
  explicit LevelView(leveldb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~LevelView() override { db_.ReleaseSnapshot(snapshot_); }
  LevelView(const LevelView&) = delete;
  LevelView& operator=(const LevelView&) = delete;

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return Lookup(db_, snapshot_, key);
  }
  base::Owned<Iterator> Scan(const KeyRange& range) const override {
    SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
    return std::make_unique<LevelIterator>(db_, snapshot_, range);
  }

 private:
  leveldb::DB& db_;
  const leveldb::Snapshot* const snapshot_;
};

// What one engine needs besides the database, destroyed after it.
struct Parts {
  Parts(const std::string& root, std::unique_ptr<base::Dir> d, const LevelDbOptions& o)
      : dir(std::move(d)), options(o), room(o.free_bytes), env(root, *dir, room) {}
  const std::unique_ptr<base::Dir> dir;  // `root`, of its own: an engine may outlive its home
  const LevelDbOptions options;
  DiskRoom room;
  LevelDbFiles env;
  NoLogger logger;
  std::unique_ptr<const leveldb::FilterPolicy> filter;
  std::shared_ptr<leveldb::Cache> cache;
};

base::Owned<Engine> OpenLevelDb(const std::string& root, base::Dir& dir, absl::string_view path,
                                const LevelDbOptions& options,
                                std::shared_ptr<leveldb::Cache> cache);

class LevelEngine : public Engine {
 public:
  LevelEngine(std::unique_ptr<Parts> parts, std::unique_ptr<leveldb::DB> db, std::string root)
      : root_(std::move(root)),
        parts_(std::move(parts)),
        db_(std::move(db)),
        // What was found at Open is in synced files: LevelDB writes the rest of its logs there.
        durable_(std::make_unique<LevelView>(*db_)) {}
  ~LevelEngine() override { Close().IgnoreError(); }
  LevelEngine(const LevelEngine&) = delete;
  LevelEngine& operator=(const LevelEngine&) = delete;

  absl::Status Write(const Batch& batch) override;
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) override;
  base::Owned<View> NewView() override;
  absl::Status Flush() override;
  absl::StatusOr<std::optional<std::string>> GetDurable(absl::string_view key) override;
  absl::Status Checkpoint(absl::string_view path) override;
  absl::Status Ingest(Iterator& source) override;
  absl::StatusOr<uint64_t> ApproximateBytes(const KeyRange& range) override;
  EngineKind kind() const override { return EngineKind::kLevelDb; }
  void StopWaiting() override { parts_->room.Abandon(); }
  absl::Status Close() override;

 private:
  absl::Status CheckOpen() const {
    return closed_ ? absl::FailedPreconditionError("the engine is closed") : absl::OkStatus();
  }
  absl::Status FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<leveldb::WriteBatch> Convert(const Batch& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string root_;
  const std::unique_ptr<Parts> parts_;
  base::Mutex mutex_;  // of writes, so that a range is deleted as it is at that moment
  std::unique_ptr<leveldb::DB> db_;
  std::unique_ptr<LevelView> durable_ ABSL_GUARDED_BY(mutex_);  // the state of the last sync
  std::atomic<bool> closed_{false};
};

absl::StatusOr<leveldb::WriteBatch> LevelEngine::Convert(const Batch& batch) {
  leveldb::WriteBatch out;
  std::set<std::string> fresh;  // put by this batch, as far as a later range might delete it
  const auto ranges = static_cast<size_t>(
      std::count_if(batch.changes().begin(), batch.changes().end(),
                    [](const auto& c) { return c.kind == Batch::Kind::kDeleteRange; }));
  for (const Batch::Change& change : batch.changes()) {
    switch (change.kind) {
      case Batch::Kind::kPut:
        out.Put(change.key, change.value);
        if (ranges > 0) fresh.insert(change.key);
        break;
      case Batch::Kind::kDelete:
        out.Delete(change.key);
        break;
      case Batch::Kind::kDeleteRange: {
        LevelIterator iterator(*db_, nullptr, {change.key, change.value});
        for (; iterator.valid(); iterator.Next()) out.Delete(ToSlice(iterator.key()));
        SLIPWAY_RETURN_IF_ERROR(iterator.status());
        for (auto key = fresh.lower_bound(change.key); key != fresh.end() && *key < change.value;
             key = fresh.erase(key)) {
          out.Delete(*key);
        }
        break;
      }
    }
  }
  return out;
}

absl::Status LevelEngine::Write(const Batch& batch) {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  if (batch.empty()) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(parts_->room.Admit());
  SLIPWAY_ASSIGN_OR_RETURN(leveldb::WriteBatch out, Convert(batch));
  return ToStatus(db_->Write(leveldb::WriteOptions(), &out), "write");
}

// Not under the mutex: a write may wait for the disk.
absl::StatusOr<std::optional<std::string>> LevelEngine::Get(absl::string_view key) {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  return Lookup(*db_, nullptr, key);
}

base::Owned<View> LevelEngine::NewView() {
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  return std::make_unique<LevelView>(*db_);
}

absl::Status LevelEngine::FlushLocked() {
  SLIPWAY_RETURN_IF_ERROR(parts_->room.Admit());
  auto state = std::make_unique<LevelView>(*db_);
  leveldb::WriteOptions options;
  options.sync = !SLIPWAY_MUTANT("eraft-flush-unsynced");
  leveldb::WriteBatch nothing;  // its record is synced with all before it
  SLIPWAY_RETURN_IF_ERROR(ToStatus(db_->Write(options, &nothing), "flush"));
  durable_ = std::move(state);
  return absl::OkStatus();
}

absl::Status LevelEngine::Flush() {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  return FlushLocked();
}

absl::StatusOr<std::optional<std::string>> LevelEngine::GetDurable(absl::string_view key) {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  return durable_->Get(key);
}

// LevelDB has no hard-linked checkpoint: a copy is written.
absl::Status LevelEngine::Checkpoint(absl::string_view path) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<View> view, NewView());
  const std::string target = absl::StrCat(root_, "/", path);
  if (parts_->env.FileExists(target)) {
    return absl::AlreadyExistsError(absl::StrCat("checkpoint to ", path, ": it exists"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> copy,
                           OpenLevelDb(root_, *parts_->dir, path, parts_->options, parts_->cache));
  // Keys of this store begin with a byte below 0xFF (keys.h).
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> all, view->Scan({"", "\xff"}));
  SLIPWAY_RETURN_IF_ERROR(copy->Ingest(*all));
  return copy->Close();
}

absl::Status LevelEngine::Ingest(Iterator& source) {
  Batch batch;
  while (source.valid()) {
    batch.Put(std::string(source.key()), std::string(source.value()));
    source.Next();
    if (batch.bytes() < kCopyBatchBytes && source.valid()) continue;
    SLIPWAY_RETURN_IF_ERROR(Write(batch));
    batch = Batch();
  }
  return source.status();
}

absl::StatusOr<uint64_t> LevelEngine::ApproximateBytes(const KeyRange& range) {
  SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  const leveldb::Range level_range(range.begin, range.end);
  uint64_t size = 0;
  db_->GetApproximateSizes(&level_range, 1, &size);
  return size;
}

absl::Status LevelEngine::Close() {
  StopWaiting();
  base::MutexLock lock(mutex_);
  if (closed_) return absl::OkStatus();
  const absl::Status flushed = FlushLocked();
  closed_ = true;
  durable_ = nullptr;
  db_ = nullptr;
  // What found no room is in the Raft log.
  return absl::IsResourceExhausted(flushed) ? absl::OkStatus() : flushed;
}

base::Owned<Engine> OpenLevelDb(const std::string& root, base::Dir& dir, absl::string_view path,
                                const LevelDbOptions& options,
                                std::shared_ptr<leveldb::Cache> cache) {
  SLIPWAY_ASSIGN_OR_RETURN(auto own, dir.OpenDir("."));
  auto parts = std::make_unique<Parts>(root, std::move(own), options);
  parts->cache = std::move(cache);
  if (options.bloom_bits > 0) {
    parts->filter.reset(leveldb::NewBloomFilterPolicy(options.bloom_bits));
  }
  leveldb::Options level;
  level.create_if_missing = true;
  level.paranoid_checks = true;
  level.env = &parts->env;
  level.info_log = &parts->logger;
  level.block_cache = parts->cache.get();
  level.filter_policy = parts->filter.get();
  level.write_buffer_size = options.write_buffer_bytes;
  level.compression = options.snappy ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  leveldb::DB* opened = nullptr;
  const DiskRoom::Impatient impatient;  // whoever opens decides whether to wait
  SLIPWAY_RETURN_IF_ERROR(
      ToStatus(leveldb::DB::Open(level, absl::StrCat(root, "/", path), &opened), "open"));
  return std::make_unique<LevelEngine>(std::move(parts), std::unique_ptr<leveldb::DB>(opened),
                                       root);
}

class Home : public EngineHome {
 public:
  Home(std::string root, base::Dir& dir, LevelDbOptions options)
      : root_(std::move(root)),
        dir_(dir),
        options_(std::move(options)),
        cache_(leveldb::NewLRUCache(options_.block_cache_bytes)) {}
  base::Owned<Engine> Open(absl::string_view path) override {
    return OpenLevelDb(root_, dir_, path, options_, cache_);
  }
  EngineKind kind() const override { return EngineKind::kLevelDb; }
  bool IsImmutable(absl::string_view file_name) const override {
    return absl::EndsWith(file_name, ".ldb");
  }

 private:
  const std::string root_;
  base::Dir& dir_;
  const LevelDbOptions options_;
  const std::shared_ptr<leveldb::Cache> cache_;
};

}  // namespace

std::unique_ptr<EngineHome> LevelDbHome(std::string root, base::Dir& dir, LevelDbOptions options) {
  return std::make_unique<Home>(std::move(root), dir, std::move(options));
}

}  // namespace slipway::eraft
