// The snapshots of a node's groups: directories snap/<group>-<term>-<index> beneath its data
// directory, each a checkpoint of the engine with a MANIFEST (6.5, E160, E163). Nothing here holds
// more of a state in memory than one buffer.
//
// Thread-safe; one Create at a time for each group. All calls block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "eraft/store/engine.h"
#include "eraft/store/manifest.h"

namespace slipway::eraft {

inline constexpr char kSnapshotsDir[] = "snap";
inline constexpr char kManifestName[] = "MANIFEST";
inline constexpr char kSnapshotFilesDir[] = "files";

struct SnapshotName {
  GroupId group = 0;
  raft::Term term = 0;
  raft::Index index = 0;
  friend bool operator==(const SnapshotName&, const SnapshotName&) = default;
};
std::string ToString(const SnapshotName& name);  // "<group>-<term>-<index>"
std::optional<SnapshotName> ParseSnapshotName(absl::string_view text);
std::string SnapshotPath(const SnapshotName& name);  // beneath the data directory

// Takes a snapshot of a group while entries are applied: of the state after the entry that the
// result names. Durable after OK; when there is one of that entry, it is kept and returned.
// FailedPrecondition: the group has applied nothing. ResourceExhausted: no room, or more files than
// kSnapshotFilesMax. After an error a left-over may be there, which the next Create or
// RemoveUnfinished removes.
absl::StatusOr<Manifest> CreateSnapshot(base::Dir& root, EngineHome& home, Engine& engine,
                                        GroupId group);

// The finished snapshots of a group, oldest first.
absl::StatusOr<std::vector<SnapshotName>> ListSnapshots(base::Dir& root, GroupId group);
// DataLoss also when the manifest is not that of this snapshot.
absl::StatusOr<Manifest> ReadManifest(base::Dir& root, const SnapshotName& name);
// Reads every file of it. DataLoss naming the first that is not what MANIFEST says (E163, E164).
absl::Status VerifySnapshot(base::Dir& root, const SnapshotName& name);
absl::Status RemoveSnapshot(base::Dir& root, const SnapshotName& name);

// At start: what was being made. What was being received stays, to be resumed (E161).
absl::Status RemoveUnfinished(base::Dir& root);

// ---- Shared with the other parts of this folder ----

// Size and SHA-256 of a file.
absl::StatusOr<SnapshotFile> HashFile(base::Dir& dir, absl::string_view path);
// Makes the files of a flat directory, and it, durable.
absl::Status SyncFlat(base::Dir& dir);
// The names in a directory, sorted.
absl::StatusOr<std::vector<std::string>> NamesIn(base::Dir& dir);
bool Exists(base::Dir& dir, absl::string_view path);

}  // namespace slipway::eraft
