// Reads a snapshot of a node for a backup (E193), while the node goes on: it may take and remove
// snapshots meanwhile, for the files are kept by hard links of their own until this ends.
// Thread-compatible. Calls block on disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/status.h"
#include "eraft/backup/backup_writer.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {

class BackupSource {
 public:
  // `root`: the node's data directory, outlives this. `known`: files that are not to be sent.
  // `number` tells sources apart that are open at a time. NotFound: the snapshot is gone; there is
  // a newer one. Errors of ReadManifest.
  static base::Owned<BackupSource> Open(base::Dir& root, const SnapshotName& name,
                                        std::set<base::Sha256Digest> known, uint64_t number);
  // The links go; what is left after a crash goes at the node's next start.
  ~BackupSource();

  const Manifest& manifest() const { return manifest_; }
  // The next part of up to 1 MiB; nothing at the end. DataLoss: a file is not what MANIFEST says.
  absl::StatusOr<std::optional<BackupPart>> Next();

 private:
  BackupSource(base::Dir& root, std::string path, std::set<base::Sha256Digest> known)
      : root_(root), path_(std::move(path)), known_(std::move(known)) {}
  absl::Status Link(const SnapshotName& name);

  base::Dir& root_;
  const std::string path_;  // of the links
  const std::set<base::Sha256Digest> known_;
  Manifest manifest_;
  std::vector<SnapshotFile> files_;  // with MANIFEST as the last
  std::unique_ptr<base::Dir> dir_;
  size_t at_ = 0;
  std::unique_ptr<base::File> file_;  // open within a file
  uint64_t offset_bytes_ = 0;
  base::Sha256 hash_;
};

}  // namespace slipway::eraft
