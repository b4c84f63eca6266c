#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "deploy/release/change.h"
#include "deploy/release/deploy_plan.h"
#include "deploy/release/link_plan.h"
#include "deploy/release/operations.h"
#include "deploy/release/package_cache.h"
#include "deploy/release/stage.h"

namespace slipway::deploy {
namespace {

ChangeResult NothingToDo(const DeployPlan& plan) {
  ChangeResult result = DescribePlan(plan);
  result.dry_run = false;
  return result;
}

VersionState StateOf(const DeployItem& item, const Staged& staged) {
  VersionState state;
  state.sha256 = item.input->manifest.package.sha256;
  state.bytes = staged.bytes;
  state.files = staged.files;
  state.manifest_sha256 = staged.manifest_sha256;
  state.source = item.result.source.empty() ? "cache" : item.result.source;
  return state;
}

// One deploy under its locks.
class Deployment {
 public:
  Deployment(const Root& root, const DeployOptions& options, DeployPlan& plan, Change& change,
             ChangeResult& result)
      : root_(root), options_(options), plan_(plan), change_(change), result_(result) {}

  absl::Status Run() {
    SLIPWAY_RETURN_IF_ERROR(Begin());
    SLIPWAY_RETURN_IF_ERROR(Fetch());
    SLIPWAY_RETURN_IF_ERROR(Stage());
    SLIPWAY_RETURN_IF_ERROR(Place());
    SLIPWAY_RETURN_IF_ERROR(change_.LockRoot());
    SLIPWAY_ASSIGN_OR_RETURN(const LinkPlan links,
                             PlanLinks(root_, plan_.activate, options_.links));
    SLIPWAY_RETURN_IF_ERROR(change_.Links(links, false, options_.links));
    for (const DeployItem& item : plan_.items) result_.components.push_back(item.result);
    Describe(links, result_);
    return change_.Commit(links, installed_, result_.warnings);
  }

 private:
  absl::Status Begin() {
    std::vector<Component> components;
    for (const DeployItem& item : plan_.items) components.push_back(item.result.component);
    std::vector<JournalStep> steps;
    for (const StepKind kind : {StepKind::kFetch, StepKind::kStage}) {
      steps.emplace_back().kind = kind;
    }
    return change_.Begin(components, std::move(steps));
  }

  // All of them before anything is extracted (D28).
  absl::Status Fetch() {
    for (DeployItem& item : plan_.items) {
      if (!item.install) continue;
      const absl::Duration start = root_.world.clock.Monotonic();
      SLIPWAY_ASSIGN_OR_RETURN(
          FetchedPackage package,
          FetchPackage(root_, *item.input, options_.paranoid, options_.progress, result_.warnings));
      item.result.phases.emplace_back("fetch", root_.world.clock.Monotonic() - start);
      item.result.source = package.source;
      item.result.cache_hit = package.cache_hit;
      item.result.bytes_fetched = package.bytes_fetched;
      plan_.bytes_needed -= std::min(plan_.bytes_needed, package.bytes_fetched);
      item.result.bytes_reused = package.cache_hit ? item.input->manifest.package.size_bytes : 0;
      const std::string name = item.result.component.ToString();
      result_.steps.push_back(
          {"fetch", absl::StrCat(name, " from ", package.cache_hit ? "cache" : package.source),
           package.bytes_fetched});
      packages_.push_back(std::move(package));
    }
    return absl::OkStatus();
  }

  absl::Status Stage() {
    SLIPWAY_RETURN_IF_ERROR(CheckSpace(root_, plan_));  // others write too (D29)
    size_t ordinal = 0;
    for (DeployItem& item : plan_.items) {
      if (!item.install) continue;
      SLIPWAY_ASSIGN_OR_RETURN(
          Staged staged,
          StageComponent(root_, change_.tx(), ordinal, *item.input, packages_[ordinal], options_,
                         item.result, result_.warnings));
      ++ordinal;
      result_.steps.push_back({"stage", item.result.component.ToString(), staged.bytes});
      installed_.push_back({item.result.component, StateOf(item, staged)});
      staged_.push_back(std::move(staged));
    }
    packages_.clear();
    if (options_.progress) options_.progress({.phase = Progress::Phase::kSync});
    const absl::Duration start = root_.world.clock.Monotonic();
    SLIPWAY_RETURN_IF_ERROR(SyncStaged(root_, change_.tx(), staged_, options_.durability));
    for (DeployItem& item : plan_.items) {
      if (item.install) {
        item.result.phases.emplace_back("sync", root_.world.clock.Monotonic() - start);
      }
    }
    return root_.options.cancel.status();
  }

  absl::Status Place() {
    SLIPWAY_ASSIGN_OR_RETURN(const JournalStep place, PlanPlace(root_, staged_));
    for (const Placement& one : place.places) {
      result_.steps.push_back({"place", one.to, 0});
    }
    return change_.Place(place);
  }

  const Root& root_;
  const DeployOptions& options_;
  DeployPlan& plan_;
  Change& change_;
  ChangeResult& result_;
  std::vector<FetchedPackage> packages_;  // of the items to install, in order
  std::vector<Staged> staged_;
  std::vector<InstalledVersion> installed_;
};

// Nothing is installed: only links move, as in a switch.
absl::Status LinkOnly(const Root& root, const DeployOptions& options, const DeployPlan& plan,
                      Change& change, ChangeResult& result) {
  SLIPWAY_RETURN_IF_ERROR(change.LockRoot());
  SLIPWAY_ASSIGN_OR_RETURN(const LinkPlan links, PlanLinks(root, plan.activate, options.links));
  std::vector<Component> components;
  for (const DeployItem& item : plan.items) {
    components.push_back(item.result.component);
    result.components.push_back(item.result);
  }
  Describe(links, result);
  if (links.empty()) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(change.Begin(components, StepsOf(links)));
  SLIPWAY_RETURN_IF_ERROR(change.Links(links, true, options.links));
  return change.Commit(links, {}, result.warnings);
}

}  // namespace

absl::StatusOr<ChangeResult> RunDeploy(const Root& root, std::vector<DeployComponent> components,
                                       const DeployOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(CheckDeployInput(components));
  components = InDependencyOrder(std::move(components));
  auto plan = PlanDeploy(root, components, options);
  if (!plan.ok()) return RootError(plan.status(), "plan the deploy");
  if (options.dry_run) {
    SLIPWAY_RETURN_IF_ERROR(CheckSpace(root, *plan));
    return DescribePlan(*plan);
  }
  if (plan->nothing()) return NothingToDo(*plan);

  Change change(root, "deploy", options);
  change.history().release = options.release;
  std::vector<std::string> types;
  types.reserve(components.size());
  for (const DeployComponent& component : components) {
    types.push_back(component.manifest.component.type);
  }
  SLIPWAY_RETURN_IF_ERROR(change.LockTypes(types));
  plan = PlanDeploy(root, components, options);
  if (!plan.ok()) return RootError(plan.status(), "plan the deploy");
  if (plan->nothing()) return NothingToDo(*plan);
  SLIPWAY_RETURN_IF_ERROR(CheckSpace(root, *plan));
  for (const DeployItem& item : plan->items) {
    SLIPWAY_LOG(
        kInfo, "deploy started",
        {{"component", item.result.component.type}, {"version", item.result.component.version}});
  }
  ChangeResult result;
  result.tx = change.tx();
  result.warnings = plan->warnings;
  const bool installs = std::any_of(plan->items.begin(), plan->items.end(),
                                    [](const DeployItem& item) { return item.install; });
  const absl::Status done = installs ? Deployment(root, options, *plan, change, result).Run()
                                     : LinkOnly(root, options, *plan, change, result);
  if (!done.ok()) return change.Fail(done);
  for (const ComponentResult& component : result.components) {
    SLIPWAY_LOG(
        kInfo, "deploy succeeded",
        {{"component", component.component.type}, {"version", component.component.version}});
  }
  return result;
}

}  // namespace slipway::deploy
