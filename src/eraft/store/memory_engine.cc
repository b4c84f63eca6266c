#include "eraft/store/memory_engine.h"

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/sync/mutex.h"
#include "eraft/store/ordered_map.h"

namespace slipway::eraft {
namespace {

using Frozen = OrderedMap::Frozen;

constexpr char kStateFile[] = "state";
constexpr absl::string_view kMagic = "ERMEM001";
constexpr uint64_t kStateBytesMax = uint64_t{4} << 30;
constexpr size_t kCrcBytes = 4;

void AppendSized(std::string& out, absl::string_view bytes) {
  uint8_t size[4];
  base::StoreLittle(size, static_cast<uint32_t>(bytes.size()));
  absl::StrAppend(&out, base::AsText(size), bytes);
}

std::string EncodeState(const Frozen& map) {
  std::string out(kMagic);
  out.reserve(map.bytes() + map.size() * 8 + kMagic.size() + kCrcBytes);
  for (auto at = map.Seek(""); const OrderedMap::Entry* entry = map.At(at); at = map.After(at)) {
    AppendSized(out, entry->first);
    AppendSized(out, entry->second);
  }
  uint8_t crc[kCrcBytes];
  base::StoreLittle(crc, base::Crc32c(base::AsBytes(out)));
  absl::StrAppend(&out, base::AsText(crc));
  return out;
}

// The next sized bytes, taken from the front of `text`.
std::optional<absl::string_view> TakeSized(absl::string_view& text) {
  if (text.size() < 4) return std::nullopt;
  const auto size = base::LoadLittle<uint32_t>(base::AsBytes(text).data());
  if (text.size() - 4 < size) return std::nullopt;
  const absl::string_view bytes = text.substr(4, size);
  text.remove_prefix(4 + size);
  return bytes;
}

absl::Status DecodeState(absl::string_view text, OrderedMap& map) {
  const absl::Status damaged = absl::DataLossError("the state of a memory engine is damaged");
  if (text.size() < kMagic.size() + kCrcBytes || text.substr(0, kMagic.size()) != kMagic) {
    return damaged;
  }
  const absl::string_view covered = text.substr(0, text.size() - kCrcBytes);
  const auto crc = base::LoadLittle<uint32_t>(base::AsBytes(text).data() + covered.size());
  if (crc != base::Crc32c(base::AsBytes(covered))) return damaged;
  absl::string_view rest = covered.substr(kMagic.size());
  while (!rest.empty()) {
    const auto key = TakeSized(rest);
    const auto value = TakeSized(rest);
    if (!key.has_value() || !value.has_value()) return damaged;
    map.Put(*key, *value);
  }
  return absl::OkStatus();
}

class MemoryIterator : public Iterator {
 public:
  MemoryIterator(Frozen map, KeyRange range) : map_(std::move(map)), range_(std::move(range)) {
    Seek(range_.begin);
  }
  bool valid() const override { return entry_ != nullptr && entry_->first < range_.end; }
  void Next() override {
    at_ = map_.After(at_);
    entry_ = map_.At(at_);
  }
  void Seek(absl::string_view key) override {
    at_ = map_.Seek(key < range_.begin ? absl::string_view(range_.begin) : key);
    entry_ = map_.At(at_);
  }
  absl::string_view key() const override { return entry_->first; }
  absl::string_view value() const override { return entry_->second; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  const Frozen map_;
  const KeyRange range_;
  Frozen::Position at_;
  const OrderedMap::Entry* entry_ = nullptr;
};

class MemoryView : public View {
 public:
  explicit MemoryView(Frozen map) : map_(std::move(map)) {}
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    const std::string* value = map_.Find(key);
    return value == nullptr ? std::nullopt : std::optional<std::string>(*value);
  }
  base::Owned<Iterator> Scan(const KeyRange& range) const override {
    SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
    return std::make_unique<MemoryIterator>(map_, range);
  }

 private:
  const Frozen map_;
};

class MemoryEngine : public Engine {
 public:
  MemoryEngine(base::Dir* root, std::string path) : root_(root), path_(std::move(path)) {}
  ~MemoryEngine() override = default;  // like a process that ends: what was not flushed is gone

  absl::Status Load();

  absl::Status Write(const Batch& batch) override;
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) override;
  base::Owned<View> NewView() override;
  absl::Status Flush() override;
  absl::StatusOr<std::optional<std::string>> GetDurable(absl::string_view key) override;
  absl::Status Checkpoint(absl::string_view path) override;
  absl::Status Ingest(Iterator& source) override;
  absl::StatusOr<uint64_t> ApproximateBytes(const KeyRange& range) override;
  EngineKind kind() const override { return EngineKind::kMemory; }
  absl::Status Close() override;

 private:
  absl::Status MakeDirectory();
  absl::StatusOr<Frozen> Freeze();
  absl::Status WriteState(absl::string_view path, const Frozen& map);

  base::Dir* const root_;
  const std::string path_;
  base::Mutex flush_mutex_;  // one Flush at a time; taken before mutex_
  base::Mutex mutex_;
  OrderedMap map_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Frozen> durable_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);  // after a failed Flush or Close
};

absl::Status MemoryEngine::MakeDirectory() {
  if (root_->Stat(path_).ok()) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(root_->MakeDir(path_, 0700));
  const absl::string_view parent = base::SplitPath(path_).first;
  if (parent.empty()) return root_->Sync();
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> dir, root_->OpenDir(parent));
  return dir->Sync();
}

absl::Status MemoryEngine::Load() {
  base::MutexLock lock(mutex_);
  if (root_ != nullptr) {
    SLIPWAY_RETURN_IF_ERROR(MakeDirectory());
    const std::string file = base::JoinPath(path_, kStateFile);
    const auto text = base::ReadFile(*root_, file, kStateBytesMax);
    if (text.ok()) {
      SLIPWAY_RETURN_IF_ERROR(base::Annotate(DecodeState(*text, map_), file));
    } else if (text.status().code() != absl::StatusCode::kNotFound) {
      return text.status();
    }
  }
  durable_ = std::make_unique<Frozen>(map_.Freeze());
  return absl::OkStatus();
}

absl::Status MemoryEngine::Write(const Batch& batch) {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(refusal_);
  for (const Batch::Change& change : batch.changes()) {
    switch (change.kind) {
      case Batch::Kind::kPut:
        map_.Put(change.key, change.value);
        break;
      case Batch::Kind::kDelete:
        map_.Erase(change.key);
        break;
      case Batch::Kind::kDeleteRange:
        map_.EraseRange({change.key, change.value});
        break;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> MemoryEngine::Get(absl::string_view key) {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(refusal_);
  const std::string* value = map_.Find(key);
  return value == nullptr ? std::nullopt : std::optional<std::string>(*value);
}

absl::StatusOr<Frozen> MemoryEngine::Freeze() {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(refusal_);
  return map_.Freeze();
}

base::Owned<View> MemoryEngine::NewView() {
  SLIPWAY_ASSIGN_OR_RETURN(Frozen map, Freeze());
  return std::make_unique<MemoryView>(std::move(map));
}

absl::Status MemoryEngine::WriteState(absl::string_view path, const Frozen& map) {
  if (root_ == nullptr) return absl::OkStatus();
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> dir, root_->OpenDir(path));
  return base::WriteFileDurably(*dir, kStateFile, EncodeState(map), 0600);
}

absl::Status MemoryEngine::Flush() {
  base::MutexLock flush_lock(flush_mutex_);
  SLIPWAY_ASSIGN_OR_RETURN(Frozen map, Freeze());
  absl::Status written = WriteState(path_, map);
  base::MutexLock lock(mutex_);
  // Without room nothing has changed: the state before is there, and this one can be written later.
  if (absl::IsResourceExhausted(written)) return written;
  if (!written.ok()) {
    refusal_ = base::Annotate(written, "the engine gave up after a failed flush");
    return refusal_;
  }
  durable_ = std::make_unique<Frozen>(std::move(map));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> MemoryEngine::GetDurable(absl::string_view key) {
  base::MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(refusal_);
  const std::string* value = durable_->Find(key);
  return value == nullptr ? std::nullopt : std::optional<std::string>(*value);
}

absl::Status MemoryEngine::Checkpoint(absl::string_view path) {
  if (root_ == nullptr) {
    return absl::FailedPreconditionError("checkpoint: this engine has no directory");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Frozen map, Freeze());
  SLIPWAY_RETURN_IF_ERROR(root_->MakeDir(path, 0700));
  return WriteState(path, map);
}

absl::Status MemoryEngine::Ingest(Iterator& source) {
  for (; source.valid(); source.Next()) {
    base::MutexLock lock(mutex_);
    SLIPWAY_RETURN_IF_ERROR(refusal_);
    map_.Put(source.key(), source.value());
  }
  return source.status();
}

absl::StatusOr<uint64_t> MemoryEngine::ApproximateBytes(const KeyRange& range) {
  SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
  SLIPWAY_ASSIGN_OR_RETURN(const Frozen map, Freeze());
  const auto begin = map.Seek(range.begin);
  const auto end = map.Seek(range.end);
  const uint64_t per_entry = map.size() == 0 ? 0 : map.bytes() / map.size() + 1;
  const uint64_t leaves = end.leaf - begin.leaf;
  const uint64_t entries =
      leaves == 0 ? end.entry - begin.entry : leaves * OrderedMap::kLeafEntries;
  return std::min(entries * per_entry, map.bytes());
}

absl::Status MemoryEngine::Close() {
  absl::Status flushed = Flush();
  base::MutexLock lock(mutex_);
  if (refusal_.ok()) refusal_ = absl::FailedPreconditionError("the engine is closed");
  return flushed;
}

class Home : public EngineHome {
 public:
  explicit Home(base::Dir* root) : root_(root) {}
  base::Owned<Engine> Open(absl::string_view path) override {
    auto engine = std::make_unique<MemoryEngine>(root_, std::string(path));
    SLIPWAY_RETURN_IF_ERROR(engine->Load());
    return engine;
  }
  EngineKind kind() const override { return EngineKind::kMemory; }
  bool IsImmutable(absl::string_view) const override { return false; }

 private:
  base::Dir* const root_;
};

}  // namespace

std::unique_ptr<EngineHome> MemoryHome(base::Dir* root) { return std::make_unique<Home>(root); }

}  // namespace slipway::eraft
