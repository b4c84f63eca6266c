// The only file that includes LevelDB.
#include "eraft/store/leveldb_engine.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"
#include "base/sync/mutex.h"

namespace slipway::eraft {
namespace {

constexpr uint64_t kCopyBatchBytes = 1 << 20;
// Larger than any record: a larger length in a frame is none.
constexpr uint32_t kFrameBytesMax = uint32_t{1} << 30;
constexpr size_t kFrameHeaderBytes = 8;

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

// ---- Logs in frames: what a crash leaves of one is a prefix ----

// After an error it takes no more: a reader stops at the broken frame, so nothing behind it counts.

class FramedWriter : public leveldb::WritableFile {
 public:
  explicit FramedWriter(std::unique_ptr<leveldb::WritableFile> file) : file_(std::move(file)) {}
  ~FramedWriter() override { Close(); }
  leveldb::Status Append(const leveldb::Slice& data) override {
    pending_.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Flush() override {
    if (failed_.ok()) failed_ = WriteFrame();
    return failed_;
  }
  leveldb::Status Sync() override {
    const leveldb::Status status = Flush();
    if (status.ok()) failed_ = file_->Sync();
    return failed_;
  }
  // Before LevelDB goes on in the next log, this one is durable: else a later write could survive
  // an earlier one.
  leveldb::Status Close() override {
    if (closed_) return leveldb::Status::OK();
    closed_ = true;
    const leveldb::Status synced = Sync();
    const leveldb::Status closed = file_->Close();
    return synced.ok() ? closed : synced;
  }

 private:
  leveldb::Status WriteFrame() {
    if (pending_.empty()) return file_->Flush();
    crc_ = base::Crc32c(base::AsBytes(pending_), crc_);
    std::array<uint8_t, kFrameHeaderBytes> header;
    base::StoreLittle(header.data(), static_cast<uint32_t>(pending_.size()));
    base::StoreLittle(header.data() + 4, crc_);
    leveldb::Status status = file_->Append(ToSlice(base::AsText(header)));
    if (status.ok()) status = file_->Append(pending_);
    pending_.clear();
    return status.ok() ? file_->Flush() : status;
  }

  const std::unique_ptr<leveldb::WritableFile> file_;
  leveldb::Status failed_;
  std::string pending_;
  uint32_t crc_ = 0;
  bool closed_ = false;
};

// Ends at the first frame that is not whole.
class FramedReader : public leveldb::SequentialFile {
 public:
  explicit FramedReader(std::unique_ptr<leveldb::SequentialFile> file) : file_(std::move(file)) {}

  leveldb::Status Read(size_t n, leveldb::Slice* result, char* scratch) override {
    size_t got = 0;
    while (got < n) {
      if (at_ == frame_.size()) {
        bool there = false;
        const leveldb::Status status = NextFrame(there);
        if (!status.ok()) return status;
        if (!there) break;
      }
      const size_t part = std::min(n - got, frame_.size() - at_);
      std::memcpy(scratch + got, frame_.data() + at_, part);
      got += part;
      at_ += part;
    }
    *result = leveldb::Slice(scratch, got);
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(uint64_t n) override {
    std::string nowhere(n, '\0');
    leveldb::Slice skipped;
    return Read(n, &skipped, nowhere.data());
  }

 private:
  // `out` becomes shorter only at the end of the file.
  leveldb::Status ReadWhole(std::string& out) {
    size_t got = 0;
    while (got < out.size()) {
      leveldb::Slice part;
      const leveldb::Status status = file_->Read(out.size() - got, &part, out.data() + got);
      if (!status.ok()) return status;
      if (part.empty()) break;
      if (part.data() != out.data() + got) std::memmove(&out[got], part.data(), part.size());
      got += part.size();
    }
    out.resize(got);
    return leveldb::Status::OK();
  }
  leveldb::Status NextFrame(bool& there) {
    there = false;
    frame_.clear();
    at_ = 0;
    if (ended_) return leveldb::Status::OK();
    ended_ = true;
    std::string header(kFrameHeaderBytes, '\0');
    leveldb::Status status = ReadWhole(header);
    if (!status.ok() || header.size() < kFrameHeaderBytes) return status;
    const uint8_t* bytes = base::AsBytes(header).data();
    const auto size = base::LoadLittle<uint32_t>(bytes);
    if (size == 0 || size > kFrameBytesMax) return leveldb::Status::OK();
    // Grows as the bytes come: a damaged length must not ask for a gigabyte.
    std::string payload;
    while (payload.size() < size) {
      std::string part(std::min<size_t>(size - payload.size(), 1 << 20), '\0');
      const size_t wanted = part.size();
      status = ReadWhole(part);
      if (!status.ok() || part.size() < wanted) return status;
      payload += part;
    }
    const uint32_t crc = base::Crc32c(base::AsBytes(payload), crc_);
    if (crc != base::LoadLittle<uint32_t>(bytes + 4)) return leveldb::Status::OK();
    crc_ = crc;
    frame_ = std::move(payload);
    there = true;
    ended_ = false;
    return leveldb::Status::OK();
  }

  const std::unique_ptr<leveldb::SequentialFile> file_;
  std::string frame_;
  size_t at_ = 0;
  uint32_t crc_ = 0;
  bool ended_ = false;
};

class FramedEnv : public leveldb::EnvWrapper {
 public:
  FramedEnv() : EnvWrapper(leveldb::Env::Default()) {}
  leveldb::Status NewSequentialFile(const std::string& name,
                                    leveldb::SequentialFile** out) override {
    const leveldb::Status status = target()->NewSequentialFile(name, out);
    if (status.ok() && absl::EndsWith(name, ".log")) {
      *out =
          std::make_unique<FramedReader>(std::unique_ptr<leveldb::SequentialFile>(*out)).release();
    }
    return status;
  }
  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** out) override {
    const leveldb::Status status = target()->NewWritableFile(name, out);
    if (status.ok() && absl::EndsWith(name, ".log")) {
      *out = std::make_unique<FramedWriter>(std::unique_ptr<leveldb::WritableFile>(*out)).release();
    }
    return status;
  }
};

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
  FramedEnv env;
  NoLogger logger;
  std::unique_ptr<const leveldb::FilterPolicy> filter;
  std::shared_ptr<leveldb::Cache> cache;
  LevelDbOptions options;
};

base::Owned<Engine> OpenLevelDb(const std::string& root, absl::string_view path,
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
  absl::Status Close() override;

 private:
  absl::Status CheckOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
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
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
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
  SLIPWAY_ASSIGN_OR_RETURN(leveldb::WriteBatch out, Convert(batch));
  return ToStatus(db_->Write(leveldb::WriteOptions(), &out), "write");
}

absl::StatusOr<std::optional<std::string>> LevelEngine::Get(absl::string_view key) {
  {
    base::MutexLock lock(mutex_);
    SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  }
  return Lookup(*db_, nullptr, key);
}

base::Owned<View> LevelEngine::NewView() {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOpen());
  return std::make_unique<LevelView>(*db_);
}

absl::Status LevelEngine::FlushLocked() {
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
                           OpenLevelDb(root_, path, parts_->options, parts_->cache));
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
  base::MutexLock lock(mutex_);
  if (closed_) return absl::OkStatus();
  absl::Status flushed = FlushLocked();
  closed_ = true;
  durable_ = nullptr;
  db_ = nullptr;
  return flushed;
}

base::Owned<Engine> OpenLevelDb(const std::string& root, absl::string_view path,
                                const LevelDbOptions& options,
                                std::shared_ptr<leveldb::Cache> cache) {
  auto parts = std::make_unique<Parts>();
  parts->options = options;
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
  SLIPWAY_RETURN_IF_ERROR(
      ToStatus(leveldb::DB::Open(level, absl::StrCat(root, "/", path), &opened), "open"));
  return std::make_unique<LevelEngine>(std::move(parts), std::unique_ptr<leveldb::DB>(opened),
                                       root);
}

class Home : public EngineHome {
 public:
  Home(std::string root, LevelDbOptions options)
      : root_(std::move(root)),
        options_(options),
        cache_(leveldb::NewLRUCache(options.block_cache_bytes)) {}
  base::Owned<Engine> Open(absl::string_view path) override {
    return OpenLevelDb(root_, path, options_, cache_);
  }
  EngineKind kind() const override { return EngineKind::kLevelDb; }
  bool IsImmutable(absl::string_view file_name) const override {
    return absl::EndsWith(file_name, ".ldb");
  }

 private:
  const std::string root_;
  const LevelDbOptions options_;
  const std::shared_ptr<leveldb::Cache> cache_;
};

}  // namespace

std::unique_ptr<EngineHome> LevelDbHome(std::string root, LevelDbOptions options) {
  return std::make_unique<Home>(std::move(root), options);
}

}  // namespace slipway::eraft
