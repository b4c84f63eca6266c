// Prepares a version beside the others: extracted, compared with its file index, on disk, and not
// reachable through anything (D21, D150). Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "deploy/pack/file_index.h"
#include "deploy/release/journal.h"
#include "deploy/release/layout.h"
#include "deploy/release/options.h"
#include "deploy/release/package_cache.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

struct Staged {
  Component component;
  std::string dir;  // staging/<tx>/<n>: tree/, manifest.json, files.zst
  uint64_t bytes = 0, files = 0;
  std::string manifest_sha256;
  std::vector<IndexEntry> entries;
};

// Extracts into staging/<tx>/<ordinal> and writes manifest and file index beside the tree. With
// `options.verify` what was extracted is compared with the published file index (or, without one,
// with the tree digest of the manifest). DT007, DT023: the package is wrong, and is kept in bad/.
absl::StatusOr<Staged> StageComponent(const Root& root, absl::string_view tx, size_t ordinal,
                                      const DeployComponent& component, FetchedPackage& package,
                                      const DeployOptions& options, ComponentResult& result,
                                      std::vector<std::string>& warnings);

// Makes everything staged durable: one syncfs, or a sync of each file when they are few and small;
// with Durability::kFast only what is ours, not the contents.
absl::Status SyncStaged(const Root& root, absl::string_view tx, const std::vector<Staged>& staged,
                        Durability durability);

// How the staged things get to their place; `replace` where something is there already.
absl::StatusOr<JournalStep> PlanPlace(const Root& root, const std::vector<Staged>& staged);

}  // namespace slipway::deploy
