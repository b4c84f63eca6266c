// BACKUP.json, what a backup consists of: docs/formats/eraft-backup.md (E193). Thread-safe: free
// functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "eraft/node/cluster.h"
#include "eraft/store/manifest.h"
#include "eraft/wal/format.h"

namespace slipway::eraft {

inline constexpr uint64_t kBackupFormat = 1;

// Which state a backup holds.
struct BackupHeader {
  wal::ClusterId cluster{};
  raft::NodeId node = raft::kNoNode;  // whose files they are
  GroupId group = 0;
  raft::Term term = 0;
  raft::Index index = 0;  // the state after this entry
  EngineKind engine = EngineKind::kMemory;
  Addresses members;
  friend bool operator==(const BackupHeader&, const BackupHeader&) = default;
};

struct BackupManifest {
  BackupHeader header;
  absl::Time created;   // whole seconds
  std::string version;  // of the program that made it
  // Ascending by name; one of them is the snapshot's own MANIFEST, which tells what the others are.
  std::vector<SnapshotFile> files;

  uint64_t bytes() const;
  friend bool operator==(const BackupManifest&, const BackupManifest&) = default;
};

std::string EncodeBackupManifest(const BackupManifest& manifest);
// DataLoss: damaged, or no such file. FailedPrecondition: of a newer format.
absl::StatusOr<BackupManifest> DecodeBackupManifest(absl::string_view text);

}  // namespace slipway::eraft
