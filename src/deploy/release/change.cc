#include "deploy/release/change.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/log/log.h"
#include "deploy/model/errors.h"
#include "deploy/release/failpoints.h"
#include "deploy/release/history.h"
#include "deploy/release/link_plan.h"
#include "deploy/release/recover.h"

namespace slipway::deploy {
namespace {

constexpr char kRolledBackPayload[] = "slipway.deploy/rolled-back";

// Sorts by time, so that recovery goes through crashed transactions in their order.
std::string NewTx(const Root& root) {
  return absl::StrCat(
      absl::FormatTime("%Y%m%dT%H%M%E6SZ", root.world.clock.Wall(), absl::UTCTimeZone()), "-",
      root.world.random.Hex(4));
}

std::string TypeOfCurrent(const LinkChange& change) {
  return std::string(base::SplitPath(base::SplitPath(change.path).first).second);
}

// What a current link named; empty for a target that is no version.
std::string VersionIn(absl::string_view target) {
  target = absl::StripSuffix(target, "/");
  return CheckVersion(target, VersionScheme::kAny).ok() ? std::string(target) : "";
}

absl::Status Unfinished(const std::string& tx, const absl::Status& status,
                        const absl::Status& undo) {
  return Error(Dt::kUnfinished,
               absl::StrCat(status.message(), "; undoing it failed too: ", undo.message(),
                            "; transaction ", tx, " is unfinished"),
               "correct the cause, then run: deploy-tool recover");
}

}  // namespace

bool WasRolledBack(const absl::Status& status) {
  return status.GetPayload(kRolledBackPayload).has_value();
}

Change::Change(const Root& root, std::string operation, const ChangeOptions& options)
    : root_(root), options_(options), tx_(NewTx(root)), start_(root.world.clock.Monotonic()) {
  history_.tx = tx_;
  history_.operation = std::move(operation);
  history_.user = root.world.environment.UserName();
  history_.host = root.world.environment.HostName();
  history_.reason = options.reason;
}

absl::Status Change::LockTypes(const std::vector<std::string>& types) {
  SLIPWAY_ASSIGN_OR_RETURN(type_locks_, TakeTypeLocks(root_, types));
  types_ = types;
  return RecoverCrashed(root_, {types_, tx_, root_lock_.has_value()}).status();
}

absl::Status Change::LockRoot() {
  SLIPWAY_ASSIGN_OR_RETURN(root_lock_, TakeRootLock(root_));
  return RecoverCrashed(root_, {types_, tx_, true}).status();
}

absl::Status Change::Begin(const std::vector<Component>& components,
                           std::vector<JournalStep> steps) {
  SLIPWAY_FAILPOINT("deploy.begin.before");
  JournalStep begin;
  begin.kind = StepKind::kBegin;
  begin.begin.operation = history_.operation;
  begin.begin.components = components;
  begin.begin.types = types_;
  begin.begin.user = history_.user;
  begin.begin.host = history_.host;
  begin.begin.command = root_.options.command;
  begin.begin.pid = root_.world.environment.ProcessId();
  begin.begin.at = root_.world.clock.Wall();
  SLIPWAY_ASSIGN_OR_RETURN(begin.begin.generation, ReadActiveGeneration(*root_.dir));
  touched_ = std::any_of(steps.begin(), steps.end(),
                         [](const JournalStep& step) { return InRootPhase(step.kind); });
  steps.insert(steps.begin(), std::move(begin));
  auto journal = Journal::Create(*root_.dir, tx_, steps, root_.modes.file);
  if (!journal.ok()) {
    // It may be there all the same, announcing what will not be done.
    auto there = Journal::Open(*root_.dir, tx_);
    if (there.ok()) journal_ = *std::move(there);
    touched_ = false;
    return journal.status();
  }
  journal_ = *std::move(journal);
  SLIPWAY_FAILPOINT("deploy.begin.after");
  return absl::OkStatus();
}

absl::Status Change::Place(const JournalStep& place) {
  SLIPWAY_FAILPOINT("deploy.place.before");
  touched_ = true;
  SLIPWAY_RETURN_IF_ERROR(journal_->Append({place}));
  SLIPWAY_RETURN_IF_ERROR(DoPlace(root_, place));
  SLIPWAY_FAILPOINT("deploy.place.after");
  return absl::OkStatus();
}

absl::Status Change::Links(const LinkPlan& plan, bool announced, const LinkOptions& options) {
  SLIPWAY_CHECK(root_lock_.has_value());
  if (!announced && !plan.empty()) {
    touched_ = true;
    SLIPWAY_RETURN_IF_ERROR(journal_->Append(StepsOf(plan)));
  }
  if (options_.progress) {
    for (const Component& component : SwitchedBy(plan)) {
      options_.progress({.phase = Progress::Phase::kSwitch, .component = component});
    }
  }
  SLIPWAY_RETURN_IF_ERROR(DoLinks(root_, tx_, plan));
  for (const Component& component : SwitchedBy(plan)) {
    SLIPWAY_LOG(kInfo, absl::StrCat("link updated current -> ", component.version),
                {{"component", component.type}});
  }
  return VerifyLinked(root_, SwitchedBy(plan), options.enabled);
}

absl::StatusOr<CommitStep> Change::MakeCommit(const LinkPlan& plan,
                                              const std::vector<InstalledVersion>& installed) {
  const absl::Time now = root_.world.clock.Wall();
  std::map<std::string, HistoryEntry::Change> changes;
  for (const LinkChange& change : plan.switches) {
    const std::string type = TypeOfCurrent(change);
    changes[type] = {type, VersionIn(change.from), change.to, "", ""};
  }
  for (const InstalledVersion& one : installed) {
    HistoryEntry::Change& change = changes[one.component.type];
    change.type = one.component.type;
    change.installed = one.component.version;
    change.source = one.state.source;
    const auto active = plan.set.find(change.type);
    // Installed again under its own link.
    if (change.to.empty() && active != plan.set.end() && active->second == change.installed) {
      change.from = change.to = change.installed;
    }
  }
  CommitStep commit;
  for (const auto& [type, change] : changes) {
    SLIPWAY_ASSIGN_OR_RETURN(TypeState state, ReadState(*root_.dir, type));
    for (const InstalledVersion& one : installed) {
      if (one.component.type != type) continue;
      VersionState& version = state.versions[one.component.version];
      const VersionState old = std::exchange(version, one.state);
      version.pinned = old.pinned;
      version.tags = old.tags;
      version.last_active_at = old.last_active_at;
      version.deployed_at = now;
      SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, root_.dir->Stat(VersionDir(one.component)));
      version.dir_stat = DirStatOf(meta);
    }
    if (!change.to.empty()) state.versions[change.to].last_active_at = now;
    if (!change.to.empty() && change.to != change.from) {
      const auto from = state.versions.find(change.from);
      if (from != state.versions.end()) from->second.last_active_at = now;
      state.current = change.to;
      state.previous = change.from;
    }
    commit.states.emplace_back(type, StateToJson(state));
    history_.changes.push_back(change);
  }
  history_.at = now;
  history_.generation = plan.generation;
  history_.duration = root_.world.clock.Monotonic() - start_;
  commit.history = HistoryToJson(history_);
  return commit;
}

absl::Status Change::Commit(const LinkPlan& plan, const std::vector<InstalledVersion>& installed,
                            std::vector<std::string>& warnings) {
  SLIPWAY_CHECK(root_lock_.has_value());
  SLIPWAY_RETURN_IF_ERROR(root_.options.cancel.status());
  JournalStep commit;
  commit.kind = StepKind::kCommit;
  SLIPWAY_ASSIGN_OR_RETURN(commit.commit, MakeCommit(plan, installed));
  SLIPWAY_FAILPOINT("deploy.commit.before");
  SLIPWAY_RETURN_IF_ERROR(journal_->Append({std::move(commit)}));
  const absl::Status finished = FinishTransaction(root_, *journal_);
  root_lock_.reset();
  if (finished.ok()) {
    DropStaging(root_, tx_);
  } else {
    warnings.push_back(absl::StrCat("the change stands, but its records are not complete (",
                                    finished.message(), "); the next change completes them"));
  }
  return absl::OkStatus();
}

absl::Status Change::Fail(absl::Status status) {
  status = RootError(status, absl::StrCat(history_.operation, ": transaction ", tx_));
  if (journal_ == nullptr) return status;
  if (!options_.rollback) {
    return base::Annotate(status, absl::StrCat("transaction ", tx_, " is left as it is"));
  }
  absl::Status undone =
      HasStep(journal_->steps(), StepKind::kCommit) ? journal_->DropCommit() : absl::OkStatus();
  if (undone.ok()) undone = UndoTransaction(root_, *journal_);
  if (!undone.ok()) return Unfinished(tx_, status, undone);
  root_lock_.reset();
  DropStaging(root_, tx_);
  if (touched_) status.SetPayload(kRolledBackPayload, absl::Cord("1"));
  return status;
}

std::vector<Component> SwitchedBy(const LinkPlan& plan) {
  std::vector<Component> components;
  for (const LinkChange& change : plan.switches) {
    components.push_back({TypeOfCurrent(change), change.to});
  }
  return components;
}

void Describe(const LinkPlan& plan, ChangeResult& result) {
  if (plan.generation) {
    result.generation = plan.generation;
    result.steps.push_back({"generation", GenerationDir(*plan.generation), 0});
  }
  const auto add = [&](const char* name, const std::vector<LinkChange>& links) {
    for (const LinkChange& link : links) {
      result.links.push_back(link);
      result.steps.push_back({name, absl::StrCat(link.path, " -> ", link.to), 0});
    }
  };
  add("switch", plan.switches);
  add("active", plan.active);
  add("link", plan.links);
  result.warnings.insert(result.warnings.end(), plan.warnings.begin(), plan.warnings.end());
}

}  // namespace slipway::deploy
