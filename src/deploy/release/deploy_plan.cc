#include "deploy/release/deploy_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/release/change.h"
#include "deploy/release/installed.h"
#include "deploy/release/link_plan.h"
#include "deploy/release/package_cache.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kSpareBytesMax = 256ull << 20;
constexpr uint64_t kSpareInodes = 64;  // journal, state, links, directories

absl::Status OtherContent(const Component& component, const std::string& installed,
                          const std::string& wanted) {
  return Error(Dt::kExists,
               absl::StrCat("install ", component.ToString(), ": it is installed with package ",
                            installed.empty() ? "of unknown digest" : installed,
                            ", the manifest states ", wanted),
               "give the new content a new version, or replace the old one with --force");
}

// Decides whether the component must be installed.
absl::Status PlanInstall(const Root& root, const DeployOptions& options, DeployItem& item,
                         std::vector<std::string>& warnings) {
  const Manifest& manifest = item.input->manifest;
  const Component& component = manifest.component;
  SLIPWAY_ASSIGN_OR_RETURN(const TypeState state, ReadState(*root.dir, component.type));
  item.result.component = component;
  item.result.previous = state.current;
  SLIPWAY_ASSIGN_OR_RETURN(const Installed installed,
                           CheckInstalled(root, state, component, options.deep));
  item.result.replaced = installed.exists;
  item.install = !installed.exists || options.force;
  if (!item.install) {
    const auto known = state.versions.find(component.version);
    const std::string sha256 = known == state.versions.end() ? "" : known->second.sha256;
    if (sha256 != manifest.package.sha256) {
      return OtherContent(component, sha256, manifest.package.sha256);
    }
    if (!installed.intact) {
      item.install = true;
      warnings.push_back(absl::StrCat(component.ToString(), " is installed but not intact (",
                                      installed.detail, ") and is installed again"));
    }
  }
  if (!item.install) {
    item.result.replaced = false;
    return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(item.cached, InCache(root, manifest));
  item.result.source_reason = item.input->source_reason;
  return absl::OkStatus();
}

Action ActionOf(const DeployItem& item, bool switch_links) {
  const bool current = item.result.previous == item.result.component.version;
  if (item.install) return Action::kInstalled;
  if (current) return Action::kAlreadyCurrent;
  return switch_links ? Action::kSwitched : Action::kAlreadyInstalled;
}

uint64_t ContentBytes(const Manifest& manifest) {
  return manifest.package.content ? manifest.package.content->bytes : 0;
}

}  // namespace

bool DeployPlan::nothing() const {
  return links.empty() && std::none_of(items.begin(), items.end(),
                                       [](const DeployItem& item) { return item.install; });
}

absl::Status CheckDeployInput(const std::vector<DeployComponent>& components) {
  if (components.empty()) return Error(Dt::kMissing, "deploy: no component was named");
  std::set<std::string> types;
  for (const DeployComponent& component : components) {
    SLIPWAY_RETURN_IF_ERROR(CheckManifest(component.manifest));
    const Component& own = component.manifest.component;
    const bool twice = std::count_if(components.begin(), components.end(), [&](const auto& other) {
                         return other.manifest.component == own;
                       }) > 1;
    if (twice) {
      return Error(Dt::kDependency, absl::StrCat("deploy: ", own.ToString(), " is named twice"),
                   "name it once");
    }
    if (!types.insert(own.type).second) {
      return Error(Dt::kDependency,
                   absl::StrCat("deploy: two versions of ", component.manifest.component.type),
                   "one version of a type can be current; deploy them one after the other");
    }
  }
  return absl::OkStatus();
}

std::vector<DeployComponent> InDependencyOrder(std::vector<DeployComponent> components) {
  std::vector<DeployComponent> ordered;
  std::set<std::string> placed;
  while (!components.empty()) {
    const auto ready =
        std::find_if(components.begin(), components.end(), [&](const DeployComponent& candidate) {
          const auto& needs = candidate.manifest.dependencies;
          return std::none_of(needs.begin(), needs.end(), [&](const Dependency& need) {
            return need.type != candidate.manifest.component.type &&
                   std::any_of(components.begin(), components.end(), [&](const auto& waiting) {
                     return waiting.manifest.component.type == need.type;
                   });
          });
        });
    const auto next = ready == components.end() ? components.begin() : ready;
    ordered.push_back(std::move(*next));
    components.erase(next);
  }
  return ordered;
}

absl::StatusOr<DeployPlan> PlanDeploy(const Root& root,
                                      const std::vector<DeployComponent>& components,
                                      const DeployOptions& options) {
  DeployPlan plan;
  for (const DeployComponent& component : components) {
    DeployItem item;
    item.input = &component;
    SLIPWAY_RETURN_IF_ERROR(PlanInstall(root, options, item, plan.warnings));
    item.result.action = ActionOf(item, options.switch_links);
    if (item.install) {
      const Manifest& manifest = component.manifest;
      plan.bytes_needed += ContentBytes(manifest);
      if (!item.cached) plan.bytes_needed += manifest.package.size_bytes;
    }
    if (options.switch_links) plan.activate.push_back(component.manifest.component);
    plan.items.push_back(std::move(item));
  }
  SLIPWAY_ASSIGN_OR_RETURN(plan.links, PlanLinks(root, plan.activate, options.links));
  return plan;
}

absl::Status CheckSpace(const Root& root, const DeployPlan& plan) {
  const auto space = root.dir->FreeSpace();
  if (!space.ok()) return RootError(space.status(), "look at the free space");
  const uint64_t needed = plan.bytes_needed + std::min(plan.bytes_needed / 20, kSpareBytesMax);
  if (space->free_bytes < needed) {
    return Error(Dt::kDiskSpace,
                 absl::StrCat("deploy: ", base::FormatSize(needed), " are needed, ",
                              base::FormatSize(space->free_bytes), " are free"),
                 "remove old versions, or empty .deploy-tool/cache");
  }
  uint64_t files = kSpareInodes;
  for (const DeployItem& item : plan.items) {
    const auto& content = item.input->manifest.package.content;
    if (item.install && content) files += content->files;
  }
  if (space->total_inodes > 0 && space->free_inodes < files) {
    return Error(
        Dt::kDiskSpace,
        absl::StrCat("deploy: ", files, " inodes are needed, ", space->free_inodes, " are free"),
        "remove old versions");
  }
  return absl::OkStatus();
}

ChangeResult DescribePlan(const DeployPlan& plan) {
  ChangeResult result;
  result.dry_run = true;
  for (const DeployItem& item : plan.items) {
    const Manifest& manifest = item.input->manifest;
    const std::string name = manifest.component.ToString();
    result.components.push_back(item.result);
    result.components.back().cache_hit = item.install && item.cached;
    if (!item.install) continue;
    const std::string from =
        item.cached ? "cache"
                    : (item.input->sources.empty() ? "" : item.input->sources.front().name);
    result.steps.push_back({"fetch", absl::StrCat(name, " from ", from),
                            item.cached ? 0 : manifest.package.size_bytes});
    result.steps.push_back({"stage", name, ContentBytes(manifest)});
    result.steps.push_back(
        {"place",
         absl::StrCat(VersionDir(manifest.component),
                      item.result.replaced ? " (replaces the installed one)" : ""),
         0});
  }
  result.warnings = plan.warnings;
  Describe(plan.links, result);
  return result;
}

}  // namespace slipway::deploy
