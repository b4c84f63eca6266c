// Changing links: a temporary symlink beside the place, renamed over it (D24), and back.
// Paths are those of LinkChange: relative to the root, or absolute. Callers hold the root lock.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "deploy/release/layout.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

// What is at a link's path.
struct LinkAt {
  bool exists = false;
  bool is_link = false;
  std::string target;  // of a link, as it stands
};
absl::StatusOr<LinkAt> ReadLinkAt(const Root& root, const std::string& path);

// Equal but for trailing slashes, which are accepted in links that others made (D20).
bool SameTarget(absl::string_view a, absl::string_view b);

// Makes all changes, then syncs the directories: the first rename is what a reader sees first. A
// link that has appeared where there was none is AlreadyExists.
absl::Status ApplyLinks(const Root& root, absl::string_view tx,
                        const std::vector<LinkChange>& changes);
// Takes them back, last first, and removes temporary links of `tx`. Each is checked against the
// disk: one that was not made, or that somebody else has changed since, stays as it is.
absl::Status RevertLinks(const Root& root, absl::string_view tx,
                         const std::vector<LinkChange>& changes);

// Makes the directories (absolute or relative), or removes those of them that are empty.
absl::Status MakeLinkDirs(const Root& root, const std::vector<std::string>& dirs);
absl::Status RemoveLinkDirs(const Root& root, const std::vector<std::string>& dirs);

}  // namespace slipway::deploy
