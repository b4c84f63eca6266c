// Trees for tests: random ones of every kind, and what they look like to somebody who knows nothing
// of packages. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/random.h"

namespace slipway::deploy {

struct RandomTreeOptions {
  int entries = 40;
  bool unreadable = true;  // also modes without owner permission: only root can pack those
  bool read_only = true;   // also modes without owner's write permission
  bool xattrs = true;
  bool odd_xattrs = true;  // names that tar programs do not agree on how to write
  uint64_t file_bytes_max = 40'000;
};

// Fills the empty directory: odd names, nesting, empty directories, hard links, symlinks, holes,
// attributes, all modes, times to the nanosecond. The same `random`, the same tree.
absl::Status MakeRandomTree(base::Dir& dir, base::Random& random, const RandomTreeOptions& options);

// One text for each path: kind, mode, mtime, contents or target, attributes, and which earlier path
// it is a hard link to. `mode_mask` is applied to modes.
absl::StatusOr<std::map<std::string, std::string>> Snapshot(base::Dir& dir,
                                                            uint32_t mode_mask = 0777);

// The first lines that differ, for messages; empty for equal snapshots.
std::string SnapshotDifference(const std::map<std::string, std::string>& before,
                               const std::map<std::string, std::string>& after);

// Writes a file with missing parents; for plain set-up.
absl::Status PutFile(base::Dir& dir, absl::string_view path, absl::string_view text,
                     uint32_t mode = 0644);

}  // namespace slipway::deploy
