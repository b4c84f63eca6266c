// What is known about the versions of a type beyond what the disk shows: state/<type>.json (6.6).
// The disk is right about what is installed and current; a lost or damaged file is rebuilt from it
// and the history. Thread-safe: free functions; values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/json/json.h"
#include "deploy/release/layout.h"

namespace slipway::deploy {

// Of the version's top directory: tells at no cost that nobody touched it.
struct DirStat {
  uint64_t inode = 0;
  int64_t mtime_ns = 0;
  friend bool operator==(const DirStat&, const DirStat&) = default;
};
DirStat DirStatOf(const base::Meta& meta);

struct VersionState {
  std::optional<absl::Time> deployed_at, last_active_at;
  std::string sha256;  // of the package; empty: not known
  uint64_t bytes = 0, files = 0;
  std::string manifest_sha256;
  std::string source;
  bool pinned = false;
  bool bad = false;
  std::vector<std::string> tags;
  std::optional<DirStat> dir_stat;
  friend bool operator==(const VersionState&, const VersionState&) = default;
};

struct TypeState {
  std::map<std::string, VersionState> versions;
  std::string current, previous;  // empty: none
  std::string recorded_current;   // what the file says is current; not written
  friend bool operator==(const TypeState&, const TypeState&) = default;
};

base::Json StateToJson(const TypeState& state);
absl::StatusOr<TypeState> StateFromJson(const base::Json& json);  // DT007, DT025

// The state of `type` as the file says, corrected by the disk: versions that are not installed are
// gone from it, installed ones that it does not know are added, `current` is what the link says.
absl::StatusOr<TypeState> ReadState(base::Dir& root, absl::string_view type);
absl::Status WriteState(const Root& root, absl::string_view type, const base::Json& state);

// Versions of `type` that have a directory; sorted bytewise.
absl::StatusOr<std::vector<std::string>> InstalledVersions(base::Dir& root, absl::string_view type);
// Types with a directory under components/; sorted.
absl::StatusOr<std::vector<std::string>> InstalledTypes(base::Dir& root);
// Where components/<type>/current leads: a version name, or "" when there is no link or it names
// none. Whether that version is installed is another question.
absl::StatusOr<std::string> ReadCurrent(base::Dir& root, absl::string_view type);

}  // namespace slipway::deploy
