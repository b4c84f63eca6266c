// Results as JSON (spec 6.15) and as text, and small things that commands share. Thread-safe: free
// functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cli/command.h"
#include "base/json/json.h"
#include "base/world.h"
#include "deploy/model/component.h"
#include "deploy/pack/extractor.h"
#include "deploy/release/results.h"

namespace slipway::deploy::cli {

base::Json ComponentJson(const Component& component);
base::Json TimeJson(const std::optional<absl::Time>& time);
base::Json TextJson(absl::string_view text);  // null for an empty one
base::Json ChangeJson(const ChangeResult& change, absl::string_view target);
base::Json HistoryJson(const HistoryEntry& entry);
base::Json LinkJson(const LinkInfo& link);
base::Json VersionJson(const VersionInfo& version);
base::Json GenerationJson(const Generation& generation);
base::Json DriftJson(const Drift& drift);
base::Json RecoveryJson(const Recovery& recovery);

// What a change did, or would do, as lines on stdout; warnings go through `in`.
void ReportChange(base::cli::Invocation& in, const ChangeResult& change, absl::string_view target);

// The error of a change: exit code 12 and "rolled_back" where the root was changed and put back
// (D27).
absl::Status FailedChange(base::cli::Invocation& in, const absl::Status& status);

// "1 file", "3 files", "2 entries".
std::string Count(uint64_t count, absl::string_view noun);
// "2024-01-20T10:00:00Z", or "-".
std::string TimeText(const std::optional<absl::Time>& time);
std::string OrDash(absl::string_view text);

// Directories, with the id that fits the failure: DT002, DT005, DT006, DT004. `doing`: "pack".
base::Owned<base::Dir> OpenDirectory(base::World& world, const std::string& path,
                                     absl::string_view doing);
base::Owned<base::Dir> MakeDirectory(base::World& world, const std::string& path,
                                     absl::string_view doing);

}  // namespace slipway::deploy::cli
