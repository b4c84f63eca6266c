// What a deploy has to do, found by reading only. Thread-safe: free functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "deploy/release/layout.h"
#include "deploy/release/options.h"
#include "deploy/release/results.h"
#include "deploy/release/steps.h"

namespace slipway::deploy {

struct DeployItem {
  const DeployComponent* input = nullptr;
  bool install = false;
  bool cached = false;  // its package, by name
  ComponentResult result;
};

struct DeployPlan {
  std::vector<DeployItem> items;  // in the order in which they are switched
  std::vector<Component> activate;
  LinkPlan links;  // preview; made again under the root lock
  std::vector<std::string> warnings;
  uint64_t bytes_needed = 0;
  bool nothing() const;
};

// DT007 a manifest, DT014 a type twice.
absl::Status CheckDeployInput(const std::vector<DeployComponent>& components);
// A component comes after those of the same deploy that it depends on (D28); cycles in given order.
std::vector<DeployComponent> InDependencyOrder(std::vector<DeployComponent> components);

absl::StatusOr<DeployPlan> PlanDeploy(const Root& root,
                                      const std::vector<DeployComponent>& components,
                                      const DeployOptions& options);
// DT006 with what is needed and free, before anything is fetched (D29): packages and contents, and
// a twentieth more, at most 256 MiB.
absl::Status CheckSpace(const Root& root, const DeployPlan& plan);
// The plan as the result of a dry run.
ChangeResult DescribePlan(const DeployPlan& plan);

}  // namespace slipway::deploy
