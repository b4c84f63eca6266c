#include "eraft/backup/backup_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "eraft/backup/limits.h"

namespace slipway::eraft {
namespace {

// Where links cannot be made, a copy does.
absl::Status LinkOrCopy(base::Dir& root, const std::string& from, const std::string& to) {
  const absl::Status linked = root.HardLink(from, to);
  if (linked.ok() || absl::IsNotFound(linked)) return linked;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> source, root.Open(from, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, source->Stat());
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = 0600;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> target, root.Open(to, options));
  return target->CopyFrom(*source, 0, 0, meta.size_bytes);
}

}  // namespace

base::Owned<BackupSource> BackupSource::Open(base::Dir& root, const SnapshotName& name,
                                             std::set<base::Sha256Digest> known, uint64_t number) {
  // The ending is what a start of the node removes.
  const std::string path = absl::StrCat(kSnapshotsDir, "/backup-", number, ".tmp");
  std::unique_ptr<BackupSource> source(new BackupSource(root, path, std::move(known)));
  SLIPWAY_RETURN_IF_ERROR(source->Link(name));
  return source;
}

absl::Status BackupSource::Link(const SnapshotName& name) {
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root_, path_));
  SLIPWAY_ASSIGN_OR_RETURN(manifest_, ReadManifest(root_, name));
  SLIPWAY_RETURN_IF_ERROR(root_.MakeDir(path_, 0700));
  const std::string from = SnapshotPath(name);
  files_ = manifest_.files;
  for (const SnapshotFile& file : files_) {
    SLIPWAY_RETURN_IF_ERROR(
        LinkOrCopy(root_, base::JoinPath(base::JoinPath(from, kSnapshotFilesDir), file.name),
                   base::JoinPath(path_, file.name)));
  }
  const std::string own = base::JoinPath(from, kManifestName);
  SLIPWAY_ASSIGN_OR_RETURN(SnapshotFile manifest, HashFile(root_, own));
  SLIPWAY_RETURN_IF_ERROR(LinkOrCopy(root_, own, base::JoinPath(path_, kManifestName)));
  files_.push_back(std::move(manifest));
  SLIPWAY_ASSIGN_OR_RETURN(dir_, root_.OpenDir(path_));
  return absl::OkStatus();
}

BackupSource::~BackupSource() {
  file_ = nullptr;
  dir_ = nullptr;
  base::RemoveTree(root_, path_).IgnoreError();
}

absl::StatusOr<std::optional<BackupPart>> BackupSource::Next() {
  if (at_ == files_.size()) return std::nullopt;
  const SnapshotFile& file = files_[at_];
  BackupPart part = {.file = file.name, .offset_bytes = offset_bytes_};
  part.sha256 = file.sha256;
  if (offset_bytes_ == 0 && known_.count(file.sha256) != 0) {
    part.unchanged = part.last = true;
    ++at_;
    return part;
  }
  if (file_ == nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(file_, dir_->Open(file.name, {}));
  }
  base::Bytes data(std::min<uint64_t>(file.size_bytes - offset_bytes_, kBackupChunkBytes));
  SLIPWAY_ASSIGN_OR_RETURN(const size_t size, file_->ReadAt(offset_bytes_, absl::MakeSpan(data)));
  hash_.Update(data);
  offset_bytes_ += size;
  part.data = std::string(base::AsText(data));
  part.crc32c = base::Crc32c(data);
  part.last = offset_bytes_ == file.size_bytes;
  const bool damaged = size < data.size() || (part.last && hash_.Finish() != file.sha256);
  if (damaged) {
    return absl::DataLossError(
        absl::StrCat("back up: file ", file.name, " of the snapshot at ", manifest_.index,
                     " is not what its MANIFEST says; take the backup of another node"));
  }
  if (part.last) {
    file_ = nullptr;
    offset_bytes_ = 0;
    ++at_;
  }
  return part;
}

}  // namespace slipway::eraft
