// How a disk store starts.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log/log.h"
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
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, layout.objects().Stat(""));
  return meta.inode;
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
