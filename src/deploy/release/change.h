// One change of the root from its locks to its commit, or back (D27). Every operation is written
// with it. Thread-compatible.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "deploy/release/journal.h"
#include "deploy/release/layout.h"
#include "deploy/release/locks.h"
#include "deploy/release/options.h"
#include "deploy/release/results.h"
#include "deploy/release/state.h"
#include "deploy/release/steps.h"

namespace slipway::deploy {

// A version that this change installed.
struct InstalledVersion {
  Component component;
  VersionState state;  // deployed_at, last_active_at and dir_stat are filled in by Commit
};

class Change {
 public:
  // Everything is borrowed.
  Change(const Root& root, std::string operation, const ChangeOptions& options);

  const std::string& tx() const { return tx_; }
  // For the history; Commit adds who, when, how long and what changed.
  HistoryEntry& history() { return history_; }

  // Takes the locks and recovers what crashed under them.
  absl::Status LockTypes(const std::vector<std::string>& types);
  absl::Status LockRoot();

  // Writes the journal: BEGIN and `steps`.
  absl::Status Begin(const std::vector<Component>& components, std::vector<JournalStep> steps);
  // PLACE.
  absl::Status Place(const JournalStep& place);
  // GEN, SWITCH, ACTIVE, LINK and their verification; `announced`: Begin had them already. CHECK:
  // under the root lock.
  absl::Status Links(const LinkPlan& plan, bool announced, const LinkOptions& options);
  // COMMIT, under the root lock. After OK the change stands; what could not be finished of its
  // records is a warning, and the next mutating command finishes it.
  absl::Status Commit(const LinkPlan& plan, const std::vector<InstalledVersion>& installed,
                      std::vector<std::string>& warnings);
  // Undoes what was begun, and returns `status` with what became of it (WasRolledBack).
  absl::Status Fail(absl::Status status);

 private:
  absl::StatusOr<CommitStep> MakeCommit(const LinkPlan& plan,
                                        const std::vector<InstalledVersion>& installed);

  const Root& root_;
  const ChangeOptions& options_;
  std::string tx_;
  HistoryEntry history_;
  absl::Duration start_;
  std::vector<std::string> types_;
  std::vector<Lock> type_locks_;
  std::optional<Lock> root_lock_;
  std::unique_ptr<Journal> journal_;
  bool touched_ = false;  // PLACE or links were announced
};

// The components that `plan` makes current.
std::vector<Component> SwitchedBy(const LinkPlan& plan);
// Adds the plan's steps, links and generation to a result.
void Describe(const LinkPlan& plan, ChangeResult& result);

}  // namespace slipway::deploy
