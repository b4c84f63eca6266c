// A backup as it lies in a directory (E193): BACKUP.json and, in files/, each file under the
// SHA-256 of its bytes. Files that two backups share are there once; BACKUP.json is replaced last,
// so that at every moment the directory holds a whole backup or none. Format:
// docs/formats/eraft-backup.md.
//
// Thread-safe: free functions. All calls block on disk.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "eraft/backup/backup_manifest.h"

namespace slipway::eraft {

inline constexpr char kBackupManifestName[] = "BACKUP.json";
inline constexpr char kBackupFilesDir[] = "files";

// Of a file, beneath the backup's directory.
std::string BackupFilePath(const SnapshotFile& file);

// NotFound: there is no backup in `dir`. DataLoss, FailedPrecondition: as DecodeBackupManifest.
absl::StatusOr<BackupManifest> ReadBackup(base::Dir& dir);

// Reads every byte of it. DataLoss naming the first file that is not what BACKUP.json says, or what
// the snapshot's MANIFEST says.
absl::StatusOr<BackupManifest> VerifyBackup(base::Dir& dir);

// The snapshot's own manifest within a backup, held against `manifest`. DataLoss: they differ.
absl::StatusOr<Manifest> ReadSnapshotManifest(base::Dir& dir, const BackupManifest& manifest);

}  // namespace slipway::eraft
