#include "deploy/release/recover.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "deploy/model/errors.h"
#include "deploy/release/journal.h"
#include "deploy/release/journal_check.h"
#include "deploy/release/locks.h"
#include "deploy/release/steps.h"

namespace slipway::deploy {
namespace {

absl::Status CannotRecover(const std::string& tx, const absl::Status& status) {
  const base::ErrorInfo info = base::GetErrorInfo(status);
  if (absl::IsCancelled(status) || info.code == DtName(Dt::kLocked)) return status;
  const std::string context = absl::StrCat("recover transaction ", base::EscapeForTerminal(tx));
  // For a newer tool, or for another user: nothing is wrong with it.
  if (info.code == DtName(Dt::kFormat) || info.code == DtName(Dt::kPermission)) {
    return base::Annotate(status, context);
  }
  const bool advice = info.code == DtName(Dt::kChecksum) && !info.hint.empty();
  return Error(Dt::kUnfinished, absl::StrCat(context, ": ", status.message()),
               advice ? info.hint : "correct the cause, then run: deploy-tool recover");
}

// The locks of the types of a journal, or nullopt while somebody holds one of them.
absl::StatusOr<std::optional<std::vector<Lock>>> TryTypes(const Root& root,
                                                          const std::vector<std::string>& types,
                                                          const RecoverScope& scope) {
  std::vector<Lock> locks;
  for (const std::string& type : types) {
    const auto& held = scope.locked_types;
    if (std::find(held.begin(), held.end(), type) != held.end()) continue;
    SLIPWAY_ASSIGN_OR_RETURN(std::optional<Lock> lock, TryTakeLock(root, TypeLockFile(type)));
    if (!lock) return std::optional<std::vector<Lock>>();
    locks.push_back(*std::move(lock));
  }
  return std::optional<std::vector<Lock>>(std::move(locks));
}

// Whether a journal that was found, opened, is one to act on.
absl::Status CheckFound(const Root& root, Journal& journal) {
  if (SLIPWAY_MUTANT("journal-unchecked")) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(journal.CheckOwner(root.world.environment.UserId()));
  SLIPWAY_RETURN_IF_ERROR(CheckJournal(root.path, journal.tx(), journal.steps()));
  journal.DropForeignTargets();
  return absl::OkStatus();
}

// Under the root lock. Leaves `recovery` as it is when the transaction turns out to be finished.
absl::Status RecoverOne(const Root& root, const std::string& tx, const RecoverScope& scope,
                        Recovery& recovery) {
  const auto steps = Journal::Peek(*root.dir, tx);
  if (absl::IsNotFound(steps.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(steps.status());
  if (!SLIPWAY_MUTANT("journal-unchecked")) {
    SLIPWAY_RETURN_IF_ERROR(CheckJournal(root.path, tx, *steps));
  }
  std::optional<std::vector<Lock>> locks;
  if (!InRootPhase(steps->back().kind)) {
    SLIPWAY_ASSIGN_OR_RETURN(locks, TryTypes(root, steps->front().begin.types, scope));
    if (!locks) {
      recovery.running.push_back(tx);
      return absl::OkStatus();
    }
  }
  auto opened = Journal::Open(*root.dir, tx);
  if (absl::IsNotFound(opened.status())) return absl::OkStatus();  // it finished before the locks
  SLIPWAY_RETURN_IF_ERROR(opened.status());
  Journal& journal = **opened;
  SLIPWAY_RETURN_IF_ERROR(CheckFound(root, journal));
  RecoveredTx done{tx, journal.begin().operation, journal.begin().components, {}};
  const bool ended = HasStep(journal.steps(), StepKind::kEnd);
  const bool committed = HasStep(journal.steps(), StepKind::kCommit);
  // What the dead process wrote may be in the page cache only, or follow what never gets to the
  // disk.
  SLIPWAY_RETURN_IF_ERROR(journal.Rewrite());
  if (ended) return journal.Finish();
  done.outcome = committed ? RecoveredTx::Outcome::kFinished : RecoveredTx::Outcome::kUndone;
  SLIPWAY_RETURN_IF_ERROR(committed ? FinishTransaction(root, journal)
                                    : UndoTransaction(root, journal));
  SLIPWAY_LOG(
      kInfo, "crashed transaction recovered",
      {{"tx", tx}, {"operation", done.operation}, {"outcome", committed ? "finished" : "undone"}});
  recovery.transactions.push_back(std::move(done));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Recovery> RecoverCrashed(const Root& root, const RecoverScope& scope) {
  Recovery recovery;
  const auto others = [&]() -> absl::StatusOr<std::vector<std::string>> {
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::string> names, ListJournals(*root.dir));
    std::erase(names, scope.own_tx);
    return names;
  };
  auto names = others();
  if (!names.ok()) return RootError(names.status(), "look for crashed transactions");
  if (names->empty()) return recovery;
  std::optional<Lock> root_lock;
  if (!scope.root_locked) {
    SLIPWAY_ASSIGN_OR_RETURN(root_lock, TakeRootLock(root));
    names = others();
    if (!names.ok()) return RootError(names.status(), "look for crashed transactions");
  }
  for (const std::string& tx : *names) {
    const absl::Status recovered = RecoverOne(root, tx, scope, recovery);
    if (!recovered.ok()) return CannotRecover(tx, recovered);
  }
  return recovery;
}

absl::StatusOr<uint64_t> SweepStaging(const Root& root) {
  // In this order: a transaction makes its journal before its staging directory.
  SLIPWAY_ASSIGN_OR_RETURN(const auto staged, ListSorted(*root.dir, kStagingDir));
  if (staged.empty()) return 0;
  SLIPWAY_ASSIGN_OR_RETURN(const auto journals, ListJournals(*root.dir));
  uint64_t removed = 0;
  for (const base::DirEntry& entry : staged) {
    if (std::binary_search(journals.begin(), journals.end(), entry.name)) continue;
    DropStaging(root, entry.name);
    ++removed;
  }
  return removed;
}

}  // namespace slipway::deploy
