// Numbered snapshots of what is active (D173): generations/<n>/<type> ->
// ../../components/<type>/<v>, and active -> generations/<n>. Writers hold the root lock.
// Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "deploy/release/layout.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

using ActiveSet = std::map<std::string, std::string>;  // type -> version

// Newest first. Records above the active one are no generations: what is left of a transaction that
// was undone, or belongs to one that runs. A version that is not installed makes its generation
// incomplete.
absl::StatusOr<std::vector<Generation>> ReadGenerations(base::Dir& root);
// The number that `active` names; nullopt: there is none.
absl::StatusOr<std::optional<uint64_t>> ReadActiveGeneration(base::Dir& root);
absl::StatusOr<uint64_t> NextGenerationNumber(base::Dir& root);

// What the `current` links say.
absl::StatusOr<ActiveSet> ReadActiveSet(base::Dir& root);
ActiveSet SetOf(const Generation& generation);

// Writes the record, durably; anything left of an earlier try goes first.
absl::Status WriteGeneration(const Root& root, uint64_t number, const ActiveSet& set);
absl::Status RemoveGeneration(base::Dir& root, uint64_t number);
// Removes records above the active one and all but the newest kGenerationsKept. Not durable: what
// comes back goes the next time.
absl::Status TrimGenerations(base::Dir& root);

}  // namespace slipway::deploy
