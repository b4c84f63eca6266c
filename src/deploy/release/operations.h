// The operations of DeployRoot that change something, as functions over an open root.
// Their contracts are those of deploy_root.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "deploy/release/layout.h"
#include "deploy/release/options.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

absl::StatusOr<ChangeResult> RunDeploy(const Root& root, std::vector<DeployComponent> components,
                                       const DeployOptions& options);
absl::StatusOr<ChangeResult> RunSwitch(const Root& root, const Component& component,
                                       const ChangeOptions& options);
absl::StatusOr<ChangeResult> RunRollback(const Root& root, const std::string& type,
                                         const RollbackOptions& options);
absl::StatusOr<ChangeResult> RunRollbackGeneration(const Root& root,
                                                   std::optional<uint64_t> generation,
                                                   const RollbackOptions& options);
absl::StatusOr<std::vector<LinkInfo>> ReadLinks(const Root& root, const LinkOptions& options);
absl::StatusOr<RepairResult> RunRepair(const Root& root, const ChangeOptions& options);

}  // namespace slipway::deploy
