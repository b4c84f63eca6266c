#include "base/temp_files.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/status.h"

namespace slipway::base {

absl::StatusOr<size_t> RemoveStaleTemps(Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<DirCursor> cursor, dir.List());
  std::vector<std::string> names;
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<DirEntry> entry, cursor->Next());
    if (!entry.has_value()) break;
    if (entry->kind != FileKind::kFile || !absl::StartsWith(entry->name, kTempPrefix)) continue;
    names.push_back(entry->name);
  }
  size_t removed = 0;
  for (const std::string& name : names) {
    const Owned<File> file = dir.Open(name, {});
    // Its maker holds its lock for as long as it has this name.
    if (!file.ok() || !(*file)->TryLock().ok()) continue;
    if (dir.Remove(name).ok()) ++removed;
  }
  return removed;
}

}  // namespace slipway::base
