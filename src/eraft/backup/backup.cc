#include "eraft/backup/backup.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "eraft/backup/limits.h"
#include "eraft/store/limits.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {
namespace {

absl::Status Damaged(const SnapshotFile& file, absl::string_view why) {
  return absl::DataLossError(absl::StrCat(BackupFilePath(file), " (", file.name, "): ", why,
                                          "; take another backup, or use an older one"));
}

absl::Status CheckFile(base::Dir& dir, const SnapshotFile& file) {
  const auto found = HashFile(dir, BackupFilePath(file));
  if (absl::IsNotFound(found.status())) return Damaged(file, "it is missing");
  if (absl::IsDataLoss(found.status())) return Damaged(file, found.status().message());
  SLIPWAY_RETURN_IF_ERROR(found.status());
  if (found->size_bytes != file.size_bytes) {
    return Damaged(
        file, absl::StrCat("it has ", found->size_bytes, " bytes instead of ", file.size_bytes));
  }
  return found->sha256 == file.sha256 ? absl::OkStatus() : Damaged(file, "its bytes have changed");
}

}  // namespace

std::string BackupFilePath(const SnapshotFile& file) {
  return base::JoinPath(kBackupFilesDir, base::ToHex(file.sha256));
}

absl::StatusOr<BackupManifest> ReadBackup(base::Dir& dir) {
  const auto text = base::ReadFile(dir, kBackupManifestName, kBackupManifestBytesMax);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError("there is no BACKUP.json, so there is no backup here");
  }
  SLIPWAY_RETURN_IF_ERROR(text.status());
  return DecodeBackupManifest(*text);
}

absl::StatusOr<Manifest> ReadSnapshotManifest(base::Dir& dir, const BackupManifest& manifest) {
  std::vector<SnapshotFile> others = manifest.files;
  const auto own = std::find_if(others.begin(), others.end(), [](const SnapshotFile& file) {
    return file.name == kManifestName;
  });
  if (own == others.end()) return absl::DataLossError("BACKUP.json: it names no MANIFEST");
  const SnapshotFile file = *own;
  others.erase(own);
  SLIPWAY_RETURN_IF_ERROR(CheckFile(dir, file));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string bytes,
                           base::ReadFile(dir, BackupFilePath(file), kManifestBytesMax));
  SLIPWAY_ASSIGN_OR_RETURN(const Manifest snapshot, DecodeManifest(bytes));
  const BackupHeader& header = manifest.header;
  const bool same = snapshot.files == others && snapshot.group == header.group &&
                    snapshot.term == header.term && snapshot.index == header.index &&
                    snapshot.engine == header.engine;
  if (!same) return Damaged(file, "it does not say what BACKUP.json says");
  return snapshot;
}

absl::StatusOr<BackupManifest> VerifyBackup(base::Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(BackupManifest manifest, ReadBackup(dir));
  SLIPWAY_RETURN_IF_ERROR(ReadSnapshotManifest(dir, manifest).status());
  for (const SnapshotFile& file : manifest.files) {
    SLIPWAY_RETURN_IF_ERROR(CheckFile(dir, file));
  }
  return manifest;
}

}  // namespace slipway::eraft
