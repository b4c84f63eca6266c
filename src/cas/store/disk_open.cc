// How a disk store starts.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest/blake3.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "base/sync/wait.h"
#include "cas/store/disk_store.h"
#include "cas/store/format.h"

namespace slipway::cas {
namespace {

// Entries are written in groups of so many, each a transaction; a small store needs one for each of
// the parts that the pool's threads share.
constexpr size_t kRebuildGroup = 4096;
constexpr size_t kRebuildDirs = 16;

absl::Status Stray(Layout& layout, const std::string& path) {
  return layout.SetAsideStray(path, "it stands among the objects and is none");
}

absl::Status IndexFile(Layout& layout, base::Dir& dir, const std::string& fan_out,
                       const base::DirEntry& entry, std::vector<Index::Entry>& put) {
  const std::string path = base::JoinPath(base::JoinPath(kObjectsDir, fan_out), entry.name);
  const std::optional<Hash> hash = HashOfObject(fan_out, entry.name);
  if (!hash || entry.kind != base::FileKind::kFile) return Stray(layout, path);
  const absl::StatusOr<base::Meta> meta = dir.Stat(entry.name);
  SLIPWAY_RETURN_IF_ERROR(meta.status());
  put.emplace_back(*hash, RecordOf(*meta, meta->mtime));
  return absl::OkStatus();
}

absl::Status FlushEntries(Index& index, std::vector<Index::Entry>& put) {
  if (put.empty()) return absl::OkStatus();
  // Not yet durable: the index counts for nothing before it is marked as clean.
  SLIPWAY_RETURN_IF_ERROR(index.Apply(put, {}, /*durable=*/false));
  put.clear();
  return absl::OkStatus();
}

absl::Status IndexDir(Layout& layout, Index& index, const std::string& fan_out,
                      std::vector<Index::Entry>& put) {
  base::Owned<base::Dir> dir = layout.objects().OpenDir(fan_out);
  if (absl::IsNotFound(dir.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(dir.status());
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, (*dir)->List());
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry) return absl::OkStatus();
    SLIPWAY_RETURN_IF_ERROR(IndexFile(layout, **dir, fan_out, *entry, put));
    if (put.size() >= kRebuildGroup) SLIPWAY_RETURN_IF_ERROR(FlushEntries(index, put));
  }
}

// What is in objects/ itself and is no directory for objects.
absl::Status SetStraysAside(Layout& layout) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, layout.objects().List());
  std::vector<std::string> strays;
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry) break;
    const bool named = HashOfObject(entry->name, std::string(2 * kHashBytes - 2, '0')).has_value();
    if (!named || entry->kind != base::FileKind::kDirectory) strays.push_back(entry->name);
  }
  for (const std::string& name : strays) {
    SLIPWAY_RETURN_IF_ERROR(Stray(layout, base::JoinPath(kObjectsDir, name)));
  }
  return absl::OkStatus();
}

absl::Status NotAStore(absl::string_view name) {
  return base::MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("this folder is no store, for it has no file \"", kFormatFile,
                   "\", but there is something in its ", name, ", which a store would remove"),
      {"", absl::StrCat("name an empty folder; if this is a store that lost the file, write "
                        "the line \"zako-cas ",
                        kFormatVersion, "\" into it")});
}

// What a store sweeps or takes for its own must not be somebody else's: "/var" has a tmp/ too.
absl::Status CheckUnused(base::Files& files, const std::string& root) {
  const base::Owned<base::Dir> dir = files.OpenRoot(root);
  if (absl::IsNotFound(dir.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(dir.status());
  if (SLIPWAY_MUTANT("cas-sweep-any")) return absl::OkStatus();
  if (!absl::IsNotFound((*dir)->Stat(kFormatFile).status())) return absl::OkStatus();
  for (const char* name : {kObjectsDir, kTempDir, kQuarantineDir}) {
    const base::Owned<base::Dir> inner = (*dir)->OpenDir(name);
    if (absl::IsNotFound(inner.status())) continue;
    SLIPWAY_RETURN_IF_ERROR(inner.status());
    SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, (*inner)->List());
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::DirEntry> entry, cursor->Next());
    if (entry) return NotAStore(absl::StrCat(name, "/"));
  }
  const bool index = !absl::IsNotFound((*dir)->Stat(kIndexFile).status());
  return index ? NotAStore(kIndexFile) : absl::OkStatus();
}

// Of an index that is none any more: out of the way, for whoever wants to know why.
base::Owned<Index> OpenIndex(Layout& layout, const MakeIndex& make_index) {
  base::Owned<Index> index = make_index(layout.path());
  if (!absl::IsDataLoss(index.status())) return index;
  SLIPWAY_LOG(kError, "index damaged: it is built again from the objects",
              {{"store", layout.path()}, {"error", index.status().message()}});
  const absl::Status moved =
      layout.root().Rename(kIndexFile, layout.quarantine(), kIndexFile, base::RenameMode::kReplace);
  if (!moved.ok() && !absl::IsNotFound(moved)) return moved;
  const absl::Status removed = layout.root().Remove(kIndexMarkFile);
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  return make_index(layout.path());
}

}  // namespace

absl::StatusOr<uint64_t> CleanToken(Layout& layout) {
  base::Blake3 state;
  const auto add = [&](const base::Meta& meta) {
    uint8_t bytes[2 * sizeof(uint64_t)];
    base::StoreLittle(bytes, meta.inode);
    base::StoreLittle(bytes + 8, static_cast<uint64_t>(absl::ToUnixNanos(meta.mtime)));
    state.Update(bytes);
  };
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta objects, layout.objects().Stat(""));
  add(objects);
  for (size_t i = 0; i < kFanOut; ++i) {
    const absl::StatusOr<base::Meta> meta = layout.objects().Stat(FanOutName(i));
    if (absl::IsNotFound(meta.status())) continue;
    SLIPWAY_RETURN_IF_ERROR(meta.status());
    add(*meta);
  }
  const base::Blake3Digest digest = state.Finish();
  return base::LoadLittle<uint64_t>(digest.data());
}

absl::Status RebuildIndex(Layout& layout, Index& index, base::Pool& pool) {
  SLIPWAY_RETURN_IF_ERROR(index.Clear());
  // A killed predecessor may have left names that no sync has made durable; a blob that is found is
  // one that may be relied on.
  SLIPWAY_RETURN_IF_ERROR(layout.root().SyncFilesystem());
  SLIPWAY_RETURN_IF_ERROR(SetStraysAside(layout));
  return base::ParallelFor(pool, kFanOut / kRebuildDirs, [&](size_t part) -> absl::Status {
    std::vector<Index::Entry> put;
    for (size_t i = 0; i < kRebuildDirs; ++i) {
      SLIPWAY_RETURN_IF_ERROR(IndexDir(layout, index, FanOutName(part * kRebuildDirs + i), put));
    }
    return FlushEntries(index, put);
  });
}

base::Owned<DiskStore> OpenDiskStore(const std::string& root, const DiskStoreOptions& options,
                                     base::Files& files, base::Clock& clock, base::Pool& pool,
                                     base::Metrics& metrics, const MakeIndex& make_index) {
  SLIPWAY_RETURN_IF_ERROR(
      base::Annotate(CheckUnused(files, root), absl::StrCat("open the store in ", root)));
  auto counts = std::make_unique<DiskStoreMetrics>(metrics);
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<Layout> layout,
                           Layout::Open(root, files, clock, *counts));
  base::Owned<Index> index = OpenIndex(*layout, make_index);
  SLIPWAY_RETURN_IF_ERROR(
      base::Annotate(index.status(), absl::StrCat("open the store in ", layout->path())));
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t token, CleanToken(*layout));
  SLIPWAY_ASSIGN_OR_RETURN(const bool clean, (*index)->TakeCleanMark(token));
  if (!clean) {
    const absl::Duration start = clock.Monotonic();
    SLIPWAY_RETURN_IF_ERROR(
        base::Annotate(RebuildIndex(*layout, **index, pool),
                       absl::StrCat("build the index of the store in ", layout->path())));
    if (!layout->created()) {
      const IndexStats stats = (*index)->Stats().value_or(IndexStats{});
      SLIPWAY_LOG(kWarn, "store was not closed cleanly: index built from its objects",
                  {{"store", layout->path()},
                   {"blobs", stats.blobs},
                   {"seconds", absl::ToDoubleSeconds(clock.Monotonic() - start)}});
    }
  }
  return std::make_unique<DiskStoreImpl>(std::move(counts), std::move(layout), *std::move(index),
                                         options, clock);
}

}  // namespace slipway::cas
