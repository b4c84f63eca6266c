// The release that a publish may write at its end (D102). Private to this folder. Thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "deploy/model/manifest.h"
#include "deploy/repository/local_package.h"
#include "deploy/repository/publisher.h"

namespace slipway::deploy {

// The release that `request` asks for, its version chosen; nullopt when it asks for none. DT001 two
// versions of one type; DT012 another release of that version is in the project, and not forced.
absl::StatusOr<std::optional<Release>> PlanRelease(const PublishRequest& request,
                                                   const std::vector<LocalPackage>& packages);

// Writes it into every target and last into the project. DT012, DT019 and those of a target. What
// was new is removed again after an error.
absl::Status WriteReleaseFiles(const PublishRequest& request, const Release& release);

}  // namespace slipway::deploy
