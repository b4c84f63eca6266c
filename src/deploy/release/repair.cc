// Putting links right (D37).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "deploy/release/change.h"
#include "deploy/release/generations.h"
#include "deploy/release/link_plan.h"
#include "deploy/release/operations.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

struct RepairPlan {
  LinkPlan links;
  std::vector<LinkInfo> refused;
  std::vector<Component> components;  // that get their current link back
};

bool Refused(const LinkInfo& info, const LinkOptions& options) {
  if (info.state != LinkState::kNotALink) return false;
  const bool adoptable = info.kind == LinkInfo::Kind::kLink || info.kind == LinkInfo::Kind::kCustom;
  return !adoptable || !options.adopt;
}

// `current` goes to the last healthy version; without one it stays as it is.
void PlanCurrent(const LinkInfo& info, RepairPlan& plan) {
  if (info.expected.empty() || info.expected == info.version) {
    LinkInfo refused = info;
    if (info.expected.empty()) refused.detail += "; no installed version is known to have worked";
    plan.refused.push_back(std::move(refused));
    return;
  }
  plan.components.push_back({info.type, info.expected});
  plan.links.set[info.type] = info.expected;
  plan.links.switches.push_back({info.path, info.target, info.expected, ""});
}

absl::Status PlanOne(const Root& root, const ChangeOptions& options, const LinkInfo& info,
                     RepairPlan& plan) {
  if (info.state == LinkState::kOk || info.state == LinkState::kForeign) return absl::OkStatus();
  if (Refused(info, options.links)) {
    plan.refused.push_back(info);
    return absl::OkStatus();
  }
  switch (info.kind) {
    case LinkInfo::Kind::kCurrent:
      PlanCurrent(info, plan);
      return absl::OkStatus();
    case LinkInfo::Kind::kLink:
      return PlanLink(root, info.path, info.expected, options.links, plan.links);
    case LinkInfo::Kind::kActive:
    case LinkInfo::Kind::kCustom:
      return absl::OkStatus();  // planned when all current links are
  }
  return absl::OkStatus();
}

absl::StatusOr<RepairPlan> PlanRepair(const Root& root, const ChangeOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto infos, ReadLinks(root, options.links));
  RepairPlan plan;
  bool active_bad = false, active_refused = false;
  LinkOptions custom = options.links;
  for (const LinkInfo& info : infos) {
    if (info.kind == LinkInfo::Kind::kCurrent && info.state == LinkState::kOk) {
      plan.links.set[info.type] = info.version;
    }
    if (info.kind == LinkInfo::Kind::kActive && info.state != LinkState::kOk) {
      active_bad = true;
      active_refused = Refused(info, options.links);
    }
    SLIPWAY_RETURN_IF_ERROR(PlanOne(root, options, info, plan));
  }
  const bool changed = active_bad || !plan.links.switches.empty();
  if (changed && !active_refused && !plan.links.set.empty()) {
    SLIPWAY_RETURN_IF_ERROR(PlanGeneration(root, plan.links));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto wanted, WantedCustomLinks(root, options.links));
  for (size_t i = wanted.size(); i > 0; --i) {
    const bool refused =
        std::any_of(plan.refused.begin(), plan.refused.end(), [&](const LinkInfo& info) {
          return info.kind == LinkInfo::Kind::kCustom && info.path == wanted[i - 1].path;
        });
    if (refused) custom.custom.erase(custom.custom.begin() + static_cast<std::ptrdiff_t>(i - 1));
  }
  SLIPWAY_RETURN_IF_ERROR(PlanCustomLinks(root, custom, plan.links));
  return plan;
}

absl::Status Run(const RepairPlan& plan, const ChangeOptions& options, Change& change,
                 std::vector<std::string>& warnings) {
  SLIPWAY_RETURN_IF_ERROR(change.Begin(plan.components, StepsOf(plan.links)));
  SLIPWAY_RETURN_IF_ERROR(change.Links(plan.links, true, options.links));
  return change.Commit(plan.links, {}, warnings);
}

}  // namespace

absl::StatusOr<RepairResult> RunRepair(const Root& root, const ChangeOptions& options) {
  const auto plan_now = [&]() -> absl::StatusOr<RepairPlan> {
    auto plan = PlanRepair(root, options);
    if (!plan.ok()) return RootError(plan.status(), "plan the repair of links");
    return plan;
  };
  const auto result_of = [&](const RepairPlan& plan) {
    RepairResult result;
    result.refused = plan.refused;
    result.change.dry_run = options.dry_run;
    Describe(plan.links, result.change);
    return result;
  };
  SLIPWAY_ASSIGN_OR_RETURN(RepairPlan plan, plan_now());
  if (options.dry_run || plan.links.empty()) return result_of(plan);

  Change change(root, "repair", options);
  const auto types = InstalledTypes(*root.dir);
  if (!types.ok()) return RootError(types.status(), "list the types");
  SLIPWAY_RETURN_IF_ERROR(change.LockTypes(*types));
  SLIPWAY_RETURN_IF_ERROR(change.LockRoot());
  SLIPWAY_ASSIGN_OR_RETURN(plan, plan_now());
  RepairResult result = result_of(plan);
  if (plan.links.empty()) return result;
  result.change.tx = change.tx();
  const absl::Status done = Run(plan, options, change, result.change.warnings);
  if (!done.ok()) return change.Fail(done);
  return result;
}

}  // namespace slipway::deploy
