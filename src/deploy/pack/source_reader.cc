#include "deploy/pack/source_reader.h"

#include <algorithm>

#include "base/status.h"

namespace slipway::deploy {
namespace {

constexpr size_t kWindowItems = 128;
constexpr size_t kWindowFolders = 32;  // each holds a descriptor until its turn has come
constexpr size_t kItemsPerJob = 16;

absl::Status ReadOnce(base::File& file, SourceItem& item) {
  item.data.resize(item.meta.size_bytes);
  size_t done = 0;
  while (done < item.data.size()) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got,
                             file.ReadAt(done, absl::MakeSpan(item.data).subspan(done)));
    if (got == 0) break;  // it shrank
    done += got;
  }
  item.data.resize(done);
  return absl::OkStatus();
}

absl::Status ReadFileAhead(SourceItem& item) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                           item.entry.parent->Open(item.entry.name, {}));
  SLIPWAY_ASSIGN_OR_RETURN(item.meta, file->Stat());
  const bool sparse = item.meta.allocated_bytes < item.meta.size_bytes;
  if (item.meta.kind != base::FileKind::kFile || item.meta.link_count > 1 || sparse ||
      item.meta.size_bytes > kAheadBytesMax) {
    return absl::OkStatus();
  }
  return ReadWhole(*file, item);
}

absl::Status ReadItem(SourceItem& item) {
  const WalkEntry& entry = item.entry;
  switch (entry.kind) {
    case base::FileKind::kFile:
      return ReadFileAhead(item);
    case base::FileKind::kDirectory: {
      SLIPWAY_ASSIGN_OR_RETURN(item.meta, entry.self->Stat(""));
      SLIPWAY_ASSIGN_OR_RETURN(item.xattrs, entry.self->GetXattrs(""));
      return absl::OkStatus();
    }
    case base::FileKind::kSymlink: {
      SLIPWAY_ASSIGN_OR_RETURN(item.meta, entry.parent->Stat(entry.name));
      SLIPWAY_ASSIGN_OR_RETURN(item.link, entry.parent->ReadLink(entry.name));
      return absl::OkStatus();
    }
    case base::FileKind::kOther:
      break;
  }
  return absl::InternalError("an entry that the walk does not give");
}

}  // namespace

absl::Status ReadWhole(base::File& file, SourceItem& item) {
  for (int reading = 1; reading <= 2; ++reading) {
    SLIPWAY_RETURN_IF_ERROR(ReadOnce(file, item));
    SLIPWAY_ASSIGN_OR_RETURN(item.xattrs, file.GetXattrs());
    SLIPWAY_ASSIGN_OR_RETURN(const base::Meta after, file.Stat());
    item.changed = !SameState(item.meta, after) || item.data.size() != after.size_bytes;
    if (!item.changed) break;
    if (reading == 1) item.meta = after;
  }
  item.meta.size_bytes = item.data.size();
  item.digest = base::Blake3Of(item.data);
  item.read = true;
  return absl::OkStatus();
}

// Entries that are read together. The jobs hold it; the walk's error comes after the entries.
struct SourceReader::Window {
  explicit Window(base::Pool& pool) : jobs(pool) {}
  std::vector<SourceItem> items;
  absl::Status walk;
  base::JobGroup jobs;  // last: waits before the items go
};

SourceReader::SourceReader(Walker& walker, base::Pool& pool) : walker_(walker), pool_(pool) {}
SourceReader::~SourceReader() = default;

void SourceReader::Start() {
  ahead_ = std::make_shared<Window>(pool_);
  size_t folders = 0;
  while (ahead_->items.size() < kWindowItems && folders < kWindowFolders) {
    absl::StatusOr<std::optional<WalkEntry>> entry = walker_.Next();
    if (!entry.ok()) {
      ahead_->walk = std::move(entry).status();
      break;
    }
    if (!entry->has_value()) break;
    if ((*entry)->kind == base::FileKind::kDirectory) ++folders;
    ahead_->items.emplace_back().entry = **std::move(entry);
  }
  std::vector<SourceItem>& items = ahead_->items;
  for (size_t begin = 0; begin < items.size(); begin += kItemsPerJob) {
    const size_t end = std::min(begin + kItemsPerJob, items.size());
    ahead_->jobs.Run([&items, begin, end] {
      for (size_t i = begin; i < end; ++i) items[i].status = ReadItem(items[i]);
    });
  }
}

absl::StatusOr<std::vector<SourceItem>> SourceReader::Next() {
  if (ahead_ == nullptr) Start();
  ahead_->jobs.Wait();
  const std::shared_ptr<Window> ready = std::move(ahead_);
  if (ready->items.empty()) {
    if (!ready->walk.ok()) return ready->walk;
    ahead_ = ready;  // the end stays the end
    return std::vector<SourceItem>();
  }
  if (ready->walk.ok()) {
    Start();
  } else {
    ahead_ = std::make_shared<Window>(pool_);
    ahead_->walk = ready->walk;
  }
  return std::move(ready->items);
}

}  // namespace slipway::deploy
