// Keeps what is found damaged for people to look at, before anything is done about it (E168):
// quarantine/<time>/ of the data directory, with a copy of each bad file and a report.json.
// Thread-safe: free functions; they block.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "eraft/store/snapshot.h"
#include "eraft/wal/recovery.h"

namespace slipway::eraft {

inline constexpr char kQuarantineDir[] = "quarantine";
inline constexpr char kQuarantineReport[] = "report.json";
// Older ones go; a copy is made only where the disk keeps so much room.
inline constexpr size_t kQuarantinesMax = 16;
inline constexpr uint64_t kQuarantineRoomBytes = uint64_t{256} << 20;

struct BadFile {
  std::string path;  // beneath the data directory
  std::string why;
};

// The path of the new directory beneath `dir`; that of an earlier one which says the same. `what`:
// what was found, `action`: what is done about it. A file that is gone, or that there is no room
// for, is in the report alone.
absl::StatusOr<std::string> Quarantine(base::Dir& dir, absl::Time now, absl::string_view what,
                                       absl::string_view action, const std::vector<BadFile>& files);

// Files of a snapshot that are not what its MANIFEST says; MANIFEST itself where it cannot be read.
std::vector<BadFile> DamageOf(base::Dir& dir, const SnapshotName& name);

// Before a file that is kept twice is mended from its good copy.
void QuarantineCopies(base::Dir& dir, absl::Time now, absl::string_view name);

// `status`, why the engine in kv/ cannot be opened, with where its lists of files, and the file
// that it names, are kept.
absl::Status QuarantineEngine(base::Dir& dir, absl::Time now, const absl::Status& status);

// `status`, why the log cannot be opened, with where its damaged segments are kept.
absl::Status QuarantineLog(base::Dir& dir, absl::Time now, const absl::Status& status,
                           const wal::DamageReport& report);

}  // namespace slipway::eraft
