// The steps of a transaction, done and undone (spec 6.14). What the journal announces is enough to
// undo or to finish; every function here may be repeated after a crash in its middle.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "deploy/release/generations.h"
#include "deploy/release/journal.h"
#include "deploy/release/layout.h"

namespace slipway::deploy {

// What a transaction changes under the root lock.
struct LinkPlan {
  std::optional<uint64_t> generation;  // to write, and to make active
  ActiveSet set;                       // what is active afterwards
  std::vector<LinkChange> switches;    // components/<type>/current
  std::vector<LinkChange> active;      // at most one
  std::vector<LinkChange> links;       // links/<type>, custom links
  std::vector<std::string> dirs;       // to make for custom links
  std::vector<std::string> warnings;
  bool empty() const { return !generation && switches.empty() && active.empty() && links.empty(); }
};

// GEN, SWITCH, ACTIVE, LINK: those that the plan needs.
std::vector<JournalStep> StepsOf(const LinkPlan& plan);

// Moves what was staged to its place. AlreadyExists: something has appeared there.
absl::Status DoPlace(const Root& root, const JournalStep& place);
// Runs the steps that StepsOf announced.
absl::Status DoLinks(const Root& root, absl::string_view tx, const LinkPlan& plan);

// Takes back all that `journal` announces, last first, each checked against the disk, and finishes
// the journal. CHECK: it holds no COMMIT.
absl::Status UndoTransaction(const Root& root, Journal& journal);
// Finishes what has COMMIT: state, history, old generations, the journal.
absl::Status FinishTransaction(const Root& root, Journal& journal);

// Removes staging/<tx>, as far as possible: without a journal it is garbage, which the next
// mutating command sweeps.
void DropStaging(const Root& root, absl::string_view tx);

}  // namespace slipway::deploy
