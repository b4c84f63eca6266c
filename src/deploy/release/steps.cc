#include "deploy/release/steps.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "deploy/release/failpoints.h"
#include "deploy/release/history.h"
#include "deploy/release/links.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

// Where an exchange is made of two renames, the old one waits here.
std::string AsidePath(const Placement& place) { return absl::StrCat(place.from, ".old"); }

absl::Status Move(const Root& root, const std::string& from, const std::string& to) {
  return root.dir->Rename(from, *root.dir, to, base::RenameMode::kNoReplace);
}

absl::Status PlaceOne(const Root& root, const Placement& place) {
  if (!place.replace) return Move(root, place.from, place.to);
  const absl::Status swapped =
      root.dir->Rename(place.from, *root.dir, place.to, base::RenameMode::kExchange);
  if (!absl::IsUnimplemented(swapped)) return swapped;
  // Some network file systems: not seamless, but under the journal (spec 6.14).
  SLIPWAY_RETURN_IF_ERROR(Move(root, place.to, AsidePath(place)));
  return Move(root, place.from, place.to);
}

absl::Status UnplaceOne(const Root& root, const Placement& place) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto to, StatIfAny(*root.dir, place.to));
  SLIPWAY_ASSIGN_OR_RETURN(const auto aside, StatIfAny(*root.dir, AsidePath(place)));
  const bool placed = to && to->inode == place.inode;
  if (placed && place.replace && !aside) {
    return root.dir->Rename(place.from, *root.dir, place.to, base::RenameMode::kExchange);
  }
  if (placed) {
    // The staging directory may have been swept away by somebody.
    SLIPWAY_RETURN_IF_ERROR(
        base::MakeDirs(*root.dir, base::SplitPath(place.from).first, root.modes.dir));
    SLIPWAY_RETURN_IF_ERROR(Move(root, place.to, place.from));
  }
  if (aside && (placed || !to)) return Move(root, AsidePath(place), place.to);
  return absl::OkStatus();
}

absl::Status SyncPlaces(const Root& root, const std::vector<Placement>& places) {
  std::set<std::string> done;
  // The new home of a name first: it must not be lost at both ends.
  for (const bool target : {true, false}) {
    for (const Placement& place : places) {
      const std::string dir(base::SplitPath(target ? place.to : place.from).first);
      if (!done.insert(dir).second) continue;
      const absl::Status synced = SyncDirAt(*root.dir, dir);
      if (!synced.ok() && !absl::IsNotFound(synced)) return synced;
    }
  }
  return absl::OkStatus();
}

absl::Status UndoPlace(const Root& root, const JournalStep& step) {
  for (auto place = step.places.rbegin(); place != step.places.rend(); ++place) {
    SLIPWAY_RETURN_IF_ERROR(UnplaceOne(root, *place));
  }
  SLIPWAY_RETURN_IF_ERROR(SyncPlaces(root, step.places));
  return RemoveLinkDirs(root, step.dirs);
}

// What is active by now stays, whoever made it so.
absl::Status UndoGeneration(const Root& root, uint64_t number) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto active, ReadActiveGeneration(*root.dir));
  return active == number ? absl::OkStatus() : RemoveGeneration(*root.dir, number);
}

absl::Status UndoStep(const Root& root, absl::string_view tx, const JournalStep& step) {
  SLIPWAY_FAILPOINT("deploy.undo.before");
  switch (step.kind) {
    case StepKind::kPlace:
      SLIPWAY_RETURN_IF_ERROR(UndoPlace(root, step));
      break;
    case StepKind::kGen:
      SLIPWAY_RETURN_IF_ERROR(UndoGeneration(root, step.generation));
      break;
    case StepKind::kSwitch:
    case StepKind::kActive:
    case StepKind::kLink:
      SLIPWAY_RETURN_IF_ERROR(RevertLinks(root, tx, step.links));
      SLIPWAY_RETURN_IF_ERROR(RemoveLinkDirs(root, step.dirs));
      break;
    case StepKind::kBegin:
    case StepKind::kFetch:  // packages stay in the cache
    case StepKind::kStage:  // garbage as soon as the journal is gone
    case StepKind::kCommit:
    case StepKind::kEnd:
      break;
  }
  SLIPWAY_FAILPOINT("deploy.undo.after");
  return absl::OkStatus();
}

absl::Status WriteRecords(const Root& root, const CommitStep& commit) {
  SLIPWAY_FAILPOINT("deploy.state.before");
  for (const auto& [type, state] : commit.states) {
    SLIPWAY_RETURN_IF_ERROR(WriteState(root, type, state));
  }
  SLIPWAY_FAILPOINT("deploy.state.after");
  SLIPWAY_FAILPOINT("deploy.history.before");
  SLIPWAY_RETURN_IF_ERROR(AppendHistory(*root.dir, commit.history, root.modes.file));
  SLIPWAY_FAILPOINT("deploy.history.after");
  return absl::OkStatus();
}

}  // namespace

std::vector<JournalStep> StepsOf(const LinkPlan& plan) {
  std::vector<JournalStep> steps;
  if (plan.generation) {
    JournalStep step;
    step.kind = StepKind::kGen;
    step.generation = *plan.generation;
    steps.push_back(std::move(step));
  }
  const auto add = [&](StepKind kind, const std::vector<LinkChange>& links) {
    if (links.empty()) return;
    JournalStep step;
    step.kind = kind;
    step.links = links;
    if (kind == StepKind::kLink) step.dirs = plan.dirs;
    steps.push_back(std::move(step));
  };
  add(StepKind::kSwitch, plan.switches);
  add(StepKind::kActive, plan.active);
  add(StepKind::kLink, plan.links);
  return steps;
}

absl::Status DoPlace(const Root& root, const JournalStep& place) {
  for (const std::string& dir : place.dirs) {
    SLIPWAY_RETURN_IF_ERROR(MakeDirsDurably(*root.dir, dir, root.modes.dir));
  }
  for (const Placement& one : place.places) {
    SLIPWAY_RETURN_IF_ERROR(base::Annotate(PlaceOne(root, one), "place " + one.to));
  }
  return SyncPlaces(root, place.places);
}

absl::Status DoLinks(const Root& root, absl::string_view tx, const LinkPlan& plan) {
  if (plan.generation) {
    SLIPWAY_FAILPOINT("deploy.gen.before");
    SLIPWAY_RETURN_IF_ERROR(WriteGeneration(root, *plan.generation, plan.set));
    SLIPWAY_FAILPOINT("deploy.gen.after");
  }
  if (!plan.switches.empty()) {
    SLIPWAY_FAILPOINT("deploy.switch.before");
    SLIPWAY_RETURN_IF_ERROR(ApplyLinks(root, tx, plan.switches));
    SLIPWAY_FAILPOINT("deploy.switch.after");
  }
  if (!plan.active.empty()) {
    SLIPWAY_FAILPOINT("deploy.active.before");
    SLIPWAY_RETURN_IF_ERROR(ApplyLinks(root, tx, plan.active));
    SLIPWAY_FAILPOINT("deploy.active.after");
  }
  if (!plan.links.empty()) {
    SLIPWAY_FAILPOINT("deploy.link.before");
    SLIPWAY_RETURN_IF_ERROR(MakeLinkDirs(root, plan.dirs));
    SLIPWAY_RETURN_IF_ERROR(ApplyLinks(root, tx, plan.links));
    SLIPWAY_FAILPOINT("deploy.link.after");
  }
  return absl::OkStatus();
}

absl::Status UndoTransaction(const Root& root, Journal& journal) {
  const std::vector<JournalStep>& steps = journal.steps();
  SLIPWAY_CHECK(!HasStep(steps, StepKind::kCommit));
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    SLIPWAY_RETURN_IF_ERROR(base::Annotate(UndoStep(root, journal.tx(), *step),
                                           absl::StrCat("undo ", StepName(step->kind))));
  }
  SLIPWAY_FAILPOINT("deploy.end.before");
  SLIPWAY_RETURN_IF_ERROR(journal.Finish());
  SLIPWAY_FAILPOINT("deploy.end.after");
  return absl::OkStatus();
}

absl::Status FinishTransaction(const Root& root, Journal& journal) {
  const std::vector<JournalStep>& steps = journal.steps();
  const auto commit = std::find_if(steps.begin(), steps.end(), [](const JournalStep& step) {
    return step.kind == StepKind::kCommit;
  });
  SLIPWAY_CHECK(commit != steps.end());
  SLIPWAY_FAILPOINT("deploy.commit.after");
  SLIPWAY_RETURN_IF_ERROR(WriteRecords(root, commit->commit));
  // Old records that stay go with the next change; nothing depends on them.
  TrimGenerations(*root.dir).IgnoreError();
  SLIPWAY_FAILPOINT("deploy.end.before");
  SLIPWAY_RETURN_IF_ERROR(journal.Finish());
  SLIPWAY_FAILPOINT("deploy.end.after");
  return absl::OkStatus();
}

void DropStaging(const Root& root, absl::string_view tx) {
  base::RemoveTree(*root.dir, StagingDir(tx)).IgnoreError();
}

}  // namespace slipway::deploy
