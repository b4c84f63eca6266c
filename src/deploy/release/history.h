// history.jsonl: one line for each committed transaction, and what follows from it for rollback
// (D174, D179). Thread-safe: free functions; writers hold the root lock.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/json/json.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

inline constexpr char kOpRollback[] = "rollback";

base::Json HistoryToJson(const HistoryEntry& entry);
absl::StatusOr<HistoryEntry> HistoryFromJson(const base::Json& json);  // DT007

// All entries, oldest first. Lines that are no entries are passed over: a torn last line is what a
// crash leaves, and one bad line must not take the rest away.
absl::StatusOr<std::vector<HistoryEntry>> ReadHistory(base::Dir& root);

// Appends the line of `entry`, durably. A torn last line goes first; if the last line is of the
// same transaction it is written anew, so that its durability does not depend on who wrote it
// before.
absl::Status AppendHistory(base::Dir& root, const base::Json& entry, uint32_t mode = 0644);

// ---- What was active before (D174) ----
// Deploys and switches go up; a rollback goes down again to where it went, and remembers the way
// for
// --forward. So rolling back twice goes back twice and never to and fro.

// The version that a rollback of `type`, now at `current`, goes to: the nearest below for which
// `usable` holds. nullopt: none.
std::optional<std::string> RollbackVersion(const std::vector<HistoryEntry>& history,
                                           absl::string_view type, absl::string_view current,
                                           bool forward,
                                           const std::function<bool(const std::string&)>& usable);

// The same for generations of the whole root.
std::optional<uint64_t> RollbackGenerationNumber(const std::vector<HistoryEntry>& history,
                                                 uint64_t current, bool forward,
                                                 const std::function<bool(uint64_t)>& usable);

}  // namespace slipway::deploy
