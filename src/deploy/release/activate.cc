#include "deploy/release/activate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log/log.h"
#include "deploy/model/errors.h"
#include "deploy/release/generations.h"
#include "deploy/release/history.h"
#include "deploy/release/installed.h"
#include "deploy/release/link_plan.h"
#include "deploy/release/operations.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

struct ActivationPlan {
  Wish wish;
  LinkPlan links;
  std::vector<ComponentResult> results;
};

absl::Status CheckUsable(const Root& root, const Component& component, bool deep,
                         std::string& previous) {
  SLIPWAY_ASSIGN_OR_RETURN(const TypeState state, ReadState(*root.dir, component.type));
  previous = state.current;
  SLIPWAY_ASSIGN_OR_RETURN(const Installed installed, CheckInstalled(root, state, component, deep));
  if (!installed.exists) return NotInstalled(component, state);
  if (installed.intact) return absl::OkStatus();
  return Error(
      Dt::kChecksum,
      absl::StrCat("switch to ", component.ToString(), ": it is not intact: ", installed.detail),
      absl::StrCat("see deploy-tool version verify ", component.ToString(),
                   ", or deploy it again with --force"));
}

absl::StatusOr<ActivationPlan> MakePlan(const Root& root, const ChangeOptions& options, bool deep,
                                        WishFn wish, HistoryEntry& entry) {
  ActivationPlan plan;
  SLIPWAY_ASSIGN_OR_RETURN(plan.wish, wish(entry));
  for (const Component& component : plan.wish.components) {
    ComponentResult result;
    result.component = component;
    SLIPWAY_RETURN_IF_ERROR(CheckUsable(root, component, deep, result.previous));
    result.action =
        result.previous == component.version ? Action::kAlreadyCurrent : Action::kSwitched;
    plan.results.push_back(std::move(result));
  }
  SLIPWAY_ASSIGN_OR_RETURN(plan.links, PlanLinks(root, plan.wish.components, options.links));
  return plan;
}

ChangeResult ResultOf(const ActivationPlan& plan) {
  ChangeResult result;
  result.components = plan.results;
  result.warnings = plan.wish.warnings;
  Describe(plan.links, result);
  return result;
}

absl::Status Run(const ActivationPlan& plan, const ChangeOptions& options, Change& change,
                 std::vector<std::string>& warnings) {
  SLIPWAY_RETURN_IF_ERROR(change.Begin(plan.wish.components, StepsOf(plan.links)));
  SLIPWAY_RETURN_IF_ERROR(change.Links(plan.links, true, options.links));
  return change.Commit(plan.links, {}, warnings);
}

// ---- What to go back to ----

absl::Status NothingBefore(absl::string_view what, bool forward) {
  return Error(
      Dt::kNotFound,
      absl::StrCat("roll back ", what, ": ",
                   forward ? "no rollback to take back" : "nothing usable was active before"),
      "see deploy-tool history, and choose one with deploy-tool version switch");
}

absl::StatusOr<Wish> WishRollback(const Root& root, const std::string& type, bool forward,
                                  HistoryEntry& entry) {
  SLIPWAY_ASSIGN_OR_RETURN(const TypeState state, ReadState(*root.dir, type));
  if (state.versions.empty()) {
    return Error(Dt::kNotFound, absl::StrCat("roll back ", type, ": nothing of it is installed"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto history, ReadHistory(*root.dir));
  const auto usable = [&](const std::string& version) {
    const auto known = state.versions.find(version);
    return known != state.versions.end() && !known->second.bad;
  };
  auto version = RollbackVersion(history, type, state.current, forward, usable);
  // A lost history still leaves the version before in the state.
  if (!version && !forward && history.empty() && usable(state.previous)) version = state.previous;
  if (!version) return NothingBefore(type, forward);
  entry.forward = forward;
  return Wish{{{type, *version}}, {}};
}

bool HoldsBad(const Root& root, const Generation& generation) {
  return std::any_of(generation.components.begin(), generation.components.end(),
                     [&](const Component& component) {
                       const auto state = ReadState(*root.dir, component.type);
                       if (!state.ok()) return true;
                       const auto known = state->versions.find(component.version);
                       return known == state->versions.end() || known->second.bad;
                     });
}

// Whether going to `generation` would change what is active. Types that it does not know stay.
bool Differs(const Generation& generation, const ActiveSet& active_set) {
  return std::any_of(generation.components.begin(), generation.components.end(),
                     [&](const Component& component) {
                       const auto active = active_set.find(component.type);
                       return active == active_set.end() || active->second != component.version;
                     });
}

absl::StatusOr<uint64_t> ChooseGeneration(const Root& root,
                                          const std::vector<Generation>& generations,
                                          const ActiveSet& active_set, bool forward) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto history, ReadHistory(*root.dir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto active, ReadActiveGeneration(*root.dir));
  const auto usable = [&](uint64_t number) {
    const auto found =
        std::find_if(generations.begin(), generations.end(),
                     [&](const Generation& candidate) { return candidate.number == number; });
    return found != generations.end() && !found->incomplete && Differs(*found, active_set) &&
           !HoldsBad(root, *found);
  };
  auto number = RollbackGenerationNumber(history, active.value_or(0), forward, usable);
  if (!number && !forward && history.empty()) {
    for (const Generation& candidate : generations) {  // newest first
      if (candidate.number < active.value_or(0) && usable(candidate.number)) {
        number = candidate.number;
        break;
      }
    }
  }
  if (!number) return NothingBefore("the root", forward);
  return *number;
}

absl::StatusOr<Wish> WishGeneration(const Root& root, std::optional<uint64_t> number, bool forward,
                                    HistoryEntry& entry) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto generations, ReadGenerations(*root.dir));
  SLIPWAY_ASSIGN_OR_RETURN(const ActiveSet active_set, ReadActiveSet(*root.dir));
  if (!number) {
    SLIPWAY_ASSIGN_OR_RETURN(number, ChooseGeneration(root, generations, active_set, forward));
  }
  const auto found =
      std::find_if(generations.begin(), generations.end(),
                   [&](const Generation& candidate) { return candidate.number == *number; });
  if (found == generations.end()) {
    return Error(Dt::kNotFound, absl::StrCat("roll back: there is no generation ", *number),
                 "see deploy-tool generation list");
  }
  if (found->incomplete) {
    return Error(Dt::kNotFound,
                 absl::StrCat("roll back to generation ", *number,
                              ": a version of it is no longer installed"),
                 "see deploy-tool generation list");
  }
  entry.restored_generation = *number;
  entry.forward = forward;
  Wish wish{found->components, {}};
  const ActiveSet set = SetOf(*found);
  for (const auto& [type, version] : active_set) {
    if (set.count(type) > 0) continue;
    wish.warnings.push_back(absl::StrCat("generation ", *number, " does not know ", type,
                                         ", which stays at ", version));
  }
  return wish;
}

}  // namespace

absl::StatusOr<ChangeResult> Activate(const Root& root, const std::string& operation,
                                      const std::vector<std::string>& types,
                                      const ChangeOptions& options, WishFn wish) {
  Change change(root, operation, options);
  const auto plan_now = [&](bool deep) -> absl::StatusOr<ActivationPlan> {
    auto plan = MakePlan(root, options, deep, wish, change.history());
    if (!plan.ok()) return RootError(plan.status(), absl::StrCat("plan the ", operation));
    return plan;
  };
  SLIPWAY_ASSIGN_OR_RETURN(ActivationPlan plan, plan_now(options.deep && options.dry_run));
  if (options.dry_run || plan.links.empty()) {
    ChangeResult result = ResultOf(plan);
    result.dry_run = options.dry_run;
    return result;
  }
  SLIPWAY_RETURN_IF_ERROR(change.LockTypes(types));
  // Reading whole versions is done before the root lock is taken.
  if (options.deep) SLIPWAY_RETURN_IF_ERROR(plan_now(true).status());
  SLIPWAY_RETURN_IF_ERROR(change.LockRoot());
  SLIPWAY_ASSIGN_OR_RETURN(plan, plan_now(false));
  ChangeResult result = ResultOf(plan);
  if (plan.links.empty()) return result;
  result.tx = change.tx();
  const absl::Status done = Run(plan, options, change, result.warnings);
  if (!done.ok()) return change.Fail(done);
  return result;
}

absl::StatusOr<ChangeResult> RunSwitch(const Root& root, const Component& component,
                                       const ChangeOptions& options) {
  return Activate(root, "switch", {component.type}, options,
                  [&](HistoryEntry&) -> absl::StatusOr<Wish> {
                    return Wish{{component}, {}};
                  });
}

absl::StatusOr<ChangeResult> RunRollback(const Root& root, const std::string& type,
                                         const RollbackOptions& options) {
  return Activate(root, kOpRollback, {type}, options, [&](HistoryEntry& entry) {
    return WishRollback(root, type, options.forward, entry);
  });
}

absl::StatusOr<ChangeResult> RunRollbackGeneration(const Root& root,
                                                   std::optional<uint64_t> generation,
                                                   const RollbackOptions& options) {
  const auto types = InstalledTypes(*root.dir);
  if (!types.ok()) return RootError(types.status(), "list the types");
  return Activate(root, kOpRollback, *types, options, [&](HistoryEntry& entry) {
    return WishGeneration(root, generation, options.forward, entry);
  });
}

}  // namespace slipway::deploy
