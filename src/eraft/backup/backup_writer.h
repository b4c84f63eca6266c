// Makes a backup in a directory of what a server sends (E193). What the directory holds of an older
// one, or of one that was broken off, is not sent again: files are known by their bytes.
//
//   SLIPWAY_ASSIGN_OR_RETURN(auto writer, BackupWriter::Open(dir));
//   … ask the server, naming writer->known() …
//   writer->Begin(header); writer->Add(part) …;
//   SLIPWAY_ASSIGN_OR_RETURN(const BackupReport report, writer->Finish(now, version));
//
// The older backup counts until Finish has put the new one in its place, by one durable rename;
// only then are files removed that nobody names any more. Thread-compatible. Calls block on disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/status.h"
#include "eraft/backup/backup.h"

namespace slipway::eraft {

// A piece of a file of a backup, on its way.
struct BackupPart {
  std::string file;
  uint64_t offset_bytes = 0;
  std::string data;
  uint32_t crc32c = 0;          // of `data`
  bool last = false;            // of this file
  base::Sha256Digest sha256{};  // of the whole file; with `last`
  bool unchanged = false;       // it is among those that were named as known: no data, `last`
};

struct BackupReport {
  BackupManifest manifest;
  uint64_t bytes_received = 0;
  uint64_t files_reused = 0, bytes_reused = 0;
};

class BackupWriter {
 public:
  // Reads every file that `dir` holds of a backup. FailedPrecondition: `dir` holds something else,
  // or a backup of a newer format; Aborted: another backup goes into it.
  static base::Owned<BackupWriter> Open(base::Dir& dir);

  // Files that are here whole.
  std::vector<base::Sha256Digest> known() const;
  // What the backup is of. FailedPrecondition: `dir` has one of another cluster or group.
  absl::Status Begin(const BackupHeader& header);
  // In the order of the server, the snapshot's MANIFEST last. DataLoss: the part, or the file that
  // it completes, is damaged; InvalidArgument: not the part that comes next.
  absl::Status Add(const BackupPart& part);
  // The backup is in force, durably. DataLoss: files are missing, or are not what MANIFEST says.
  absl::StatusOr<BackupReport> Finish(absl::Time now, const std::string& version);

 private:
  BackupWriter(base::Dir& dir, std::unique_ptr<base::File> lock, std::unique_ptr<base::Dir> files)
      : dir_(dir), lock_(std::move(lock)), files_(std::move(files)) {}
  absl::Status Look();
  absl::Status AddUnchanged(const BackupPart& part);
  absl::Status EndFile(const BackupPart& part);
  absl::Status RemoveOthers();

  base::Dir& dir_;
  const std::unique_ptr<base::File> lock_;
  const std::unique_ptr<base::Dir> files_;
  std::map<std::string, uint64_t> known_;  // by hex of the hash: bytes
  std::optional<BackupManifest> before_;
  BackupReport report_;
  bool begun_ = false;
  std::unique_ptr<base::File> file_;  // being written, without a name
  std::string file_name_;
  uint64_t offset_bytes_ = 0;
  base::Sha256 hash_;
};

}  // namespace slipway::eraft
