#include "eraft/wal/segment_files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/mutant.h"
#include "base/temp_files.h"
#include "base/units.h"
#include "eraft/wal/format.h"

namespace slipway::eraft::wal {
namespace {

constexpr uint64_t kFillBytes = base::kMiB;
// What a spare, which is wanted only sometime, leaves for what is wanted now.
constexpr uint64_t kSpareLeavesBytesMax = 8 * base::kMiB;

}  // namespace

absl::Status SyncFailed(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::DataLossError(
      absl::StrCat("a sync failed, what it was for may be lost: ", status.message()));
}

absl::Status SegmentFiles::SyncNames() {
  if (SLIPWAY_MUTANT("wal-no-dir-sync")) return absl::OkStatus();
  return SyncFailed(dir_.Sync());
}

absl::Status SegmentFiles::Open() {
  SLIPWAY_RETURN_IF_ERROR(base::RemoveStaleTemps(dir_).status());
  for (size_t spare = 0; spare < kSpareNames.size(); ++spare) {
    SLIPWAY_RETURN_IF_ERROR(OpenSpare(spare));
  }
  return absl::OkStatus();
}

absl::Status SegmentFiles::OpenSpare(size_t spare) {
  const absl::StatusOr<base::Meta> meta = dir_.Stat(kSpareNames[spare]);
  if (absl::IsNotFound(meta.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(meta.status());
  // A crash may have kept its name and lost its bytes.
  if (meta->size_bytes != segment_bytes_ || meta->allocated_bytes < segment_bytes_) {
    SLIPWAY_RETURN_IF_ERROR(dir_.Remove(kSpareNames[spare]));
    return SyncNames();
  }
  base::MutexLock lock(mutex_);
  spares_[spare] = true;
  return absl::OkStatus();
}

bool SegmentFiles::has_spare() const {
  base::MutexLock lock(mutex_);
  return std::find(spares_.begin(), spares_.end(), true) != spares_.end();
}

// Zeros are written, not only reserved: a sync inside then has no extents to convert.
absl::Status SegmentFiles::MakeFile(absl::string_view name, uint64_t size, uint64_t to_leave) {
  // Filled up to its end in vain, again and again, the disk would have no room for anything else.
  const auto space = dir_.FreeSpace();
  if (space.ok() && space->free_bytes < size + to_leave && !SLIPWAY_MUTANT("wal-fills-full-disk")) {
    return absl::ResourceExhaustedError(absl::StrCat("prepare ", name, ": ", space->free_bytes,
                                                     " bytes are free of the ", size + to_leave,
                                                     " it needs"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, dir_.CreateTemp());
  const base::Bytes zeros(static_cast<size_t>(std::min(size, kFillBytes)));
  for (uint64_t at = 0; at < size; at += zeros.size()) {
    const uint64_t bytes = std::min<uint64_t>(zeros.size(), size - at);
    SLIPWAY_RETURN_IF_ERROR(file->WriteAt(at, base::BytesView(zeros).subspan(0, bytes)));
  }
  const absl::Status synced = SyncFailed(file->Sync());
  if (!synced.ok()) return base::Annotate(synced, absl::StrCat("prepare ", name));
  return dir_.Publish(*file, name, base::RenameMode::kNoReplace);
}

base::Owned<base::File> SegmentFiles::Begin(uint64_t number, uint64_t bytes) {
  const std::string name = SegmentName(number);
  bool from_spare = false;
  if (bytes == segment_bytes_) {
    // Held over the rename: a retired segment must not take the spare's name meanwhile.
    base::MutexLock lock(mutex_);
    const auto spare = std::find(spares_.begin(), spares_.end(), true);
    if (spare != spares_.end()) {
      const absl::string_view from = kSpareNames[static_cast<size_t>(spare - spares_.begin())];
      SLIPWAY_RETURN_IF_ERROR(dir_.Rename(from, dir_, name, base::RenameMode::kNoReplace));
      *spare = false;
      from_spare = true;
    }
  }
  if (!from_spare) SLIPWAY_RETURN_IF_ERROR(MakeFile(name, bytes, /*to_leave=*/0));
  SLIPWAY_RETURN_IF_ERROR(SyncNames());
  base::Owned<base::File> file = dir_.Open(name, {.write = true});
  // The name is used up, so this cannot be tried again.
  if (!file.ok()) return SyncFailed(file.status());
  return file;
}

absl::Status SegmentFiles::PrepareSpare() {
  if (has_spare()) return absl::OkStatus();
  const uint64_t to_leave = std::min(segment_bytes_, kSpareLeavesBytesMax);
  SLIPWAY_RETURN_IF_ERROR(MakeFile(kSpareNames[0], segment_bytes_, to_leave));
  SLIPWAY_RETURN_IF_ERROR(SyncNames());
  base::MutexLock lock(mutex_);
  spares_[0] = true;
  return absl::OkStatus();
}

absl::Status SegmentFiles::Retire(uint64_t number) {
  const std::string name = SegmentName(number);
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, dir_.Stat(name));
  size_t free = kSpareNames.size();
  if (meta.size_bytes == segment_bytes_) {
    base::MutexLock lock(mutex_);
    free = static_cast<size_t>(std::find(spares_.begin(), spares_.end(), false) - spares_.begin());
  }
  if (free == kSpareNames.size()) {
    SLIPWAY_RETURN_IF_ERROR(dir_.Remove(name));
    return SyncNames();
  }
  SLIPWAY_RETURN_IF_ERROR(dir_.Rename(name, dir_, kSpareNames[free], base::RenameMode::kNoReplace));
  SLIPWAY_RETURN_IF_ERROR(SyncNames());
  base::MutexLock lock(mutex_);
  spares_[free] = true;
  return absl::OkStatus();
}

}  // namespace slipway::eraft::wal
