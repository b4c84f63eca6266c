// A snapshot on its way between nodes (E161): its MANIFEST first, then its files in chunks of up to
// 1 MiB, each with a CRC-32C that covers which snapshot and place it belongs to. What was received
// of it survives a restart file by file. The network is the caller's.
//
// Thread-compatible. Calls block on disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/status.h"
#include "eraft/store/manifest.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {

struct SnapshotChunk {
  uint32_t file = 0;  // number in the manifest
  uint64_t offset_bytes = 0;
  base::Bytes data;  // empty only for an empty file
  friend bool operator==(const SnapshotChunk&, const SnapshotChunk&) = default;
};

// `manifest` is the SHA-256 of the bytes of MANIFEST.
base::Bytes EncodeChunk(const base::Sha256Digest& manifest, const SnapshotChunk& chunk);
// DataLoss: damaged, or of another snapshot.
absl::StatusOr<SnapshotChunk> DecodeChunk(const base::Sha256Digest& manifest,
                                          base::BytesView bytes);

class SnapshotReader {
 public:
  // Beginning with the first file. Errors as ReadManifest.
  static base::Owned<SnapshotReader> Open(base::Dir& root, const SnapshotName& name);
  const std::string& manifest_bytes() const { return manifest_bytes_; }
  // To the start of a file, as the receiver's next_file() asks. OutOfRange: more than there are.
  absl::Status Seek(uint32_t file);
  // The next chunk, encoded; nothing at the end. DataLoss: a file is shorter than MANIFEST says.
  absl::StatusOr<std::optional<base::Bytes>> Next();

 private:
  SnapshotReader(std::unique_ptr<base::Dir> files, std::string manifest_bytes, Manifest manifest);

  const std::unique_ptr<base::Dir> files_;
  const std::string manifest_bytes_;
  const Manifest manifest_;
  const base::Sha256Digest digest_;
  uint32_t file_number_ = 0;
  uint64_t offset_bytes_ = 0;
  std::unique_ptr<base::File> file_;  // open within a file
};

class SnapshotWriter {
 public:
  // Begins, or resumes what an earlier writer of the same manifest has received: its files are
  // hashed anew. `kind` is the engine here: FailedPrecondition for a snapshot of another one.
  // DataLoss: `manifest_bytes` are damaged. ResourceExhausted: it is larger than what the disk has
  // room for; nothing was written. What was received of other snapshots of the group goes.
  static base::Owned<SnapshotWriter> Begin(base::Dir& root, EngineKind kind,
                                           absl::string_view manifest_bytes);
  // The first file that is missing: the reader seeks to it.
  uint32_t next_file() const { return next_file_; }
  // In the reader's order. DataLoss: the chunk, or the file that it completes, is damaged; the
  // writer then asks for that file again (next_file). FailedPrecondition: not the chunk that comes
  // next. ResourceExhausted: the disk has no room.
  absl::Status Add(base::BytesView chunk);
  // The snapshot is there under its name, durably. FailedPrecondition: files are missing.
  absl::StatusOr<Manifest> Finish();

 private:
  SnapshotWriter(base::Dir& root, std::string path, std::unique_ptr<base::Dir> files,
                 Manifest manifest, const base::Sha256Digest& digest);
  absl::Status CheckRoom();
  absl::Status SkipVerified();
  absl::Status StartFile();
  absl::Status EndFile();

  base::Dir& root_;
  const std::string path_;
  const std::unique_ptr<base::Dir> files_;
  const Manifest manifest_;
  const base::Sha256Digest digest_;
  uint32_t next_file_ = 0;
  uint64_t offset_bytes_ = 0;
  uint64_t begun_bytes_ = 0;  // of the file, which the disk was told to write
  std::unique_ptr<base::File> file_;
  base::Sha256 hash_;
};

}  // namespace slipway::eraft
