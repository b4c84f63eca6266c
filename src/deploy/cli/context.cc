#include "deploy/cli/context.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/config/nearest.h"
#include "base/mutant.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

const char* PhaseName(Progress::Phase phase) {
  switch (phase) {
    case Progress::Phase::kFetch:
      return "fetch";
    case Progress::Phase::kVerify:
      return "verify";
    case Progress::Phase::kExtract:
      return "extract";
    case Progress::Phase::kSync:
      return "sync";
    case Progress::Phase::kSwitch:
      return "switch";
  }
  return "";
}

}  // namespace

absl::StatusOr<const Project*> Context::AnyProject(Invocation& in) {
  if (project_.has_value()) return &*project_;
  ProjectOptions options;
  options.project_root = options_.project_root;
  options.config_file = options_.config_file;
  options.environment = options_.environment;
  SLIPWAY_ASSIGN_OR_RETURN(project_, LoadProject(in.world, options));
  for (const std::string& warning : project_->loaded.warnings)
    in.Warn(DtName(Dt::kConfig), warning);
  return &*project_;
}

absl::StatusOr<const Project*> Context::RequireProject(Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, AnyProject(in));
  if (project->exists()) return project;
  return Error(Dt::kPathNotFound,
               absl::StrCat("open project: neither ", project->root,
                            " nor a directory above it holds ", kConfigFile),
               "run deploy-tool init, or name the project with --project-root DIR");
}

absl::StatusOr<std::string> Context::RootPath(Invocation& in, absl::string_view target) {
  if (!target.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const Project* project, AnyProject(in));
    const auto& targets = project->config().targets;
    const auto found = targets.find(std::string(target));
    if (found != targets.end()) return project->Resolve(found->second.root);
    if (absl::StrContains(target, "/")) return FromWorkingDirectory(in.world, target);
    std::vector<std::string> names;
    names.reserve(targets.size());
    for (const auto& [name, unused] : targets) names.push_back(name);
    const auto nearest = base::NearestWord(target, names);
    return Error(
        Dt::kMissing,
        absl::StrCat("open deploy root: ", target, " is no name in deploy.targets",
                     nearest.has_value() ? absl::StrCat("; did you mean ", *nearest, "?") : ""),
        absl::StrCat(
            "name a directory, like ./", target,
            names.empty() ? "" : absl::StrCat(", or one of ", absl::StrJoin(names, ", "))));
  }
  if (options_.root.has_value()) {
    // An unset variable of a script must not make the working directory a deploy root.
    if (!options_.root->empty()) return FromWorkingDirectory(in.world, *options_.root);
    return Error(Dt::kMissing, "open deploy root: --root is empty", "name a directory");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, AnyProject(in));
  return project->Resolve(project->config().deploy_root);
}

base::Owned<DeployRoot> Context::OpenRoot(Invocation& in, OpenMode mode, absl::string_view target) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string path, RootPath(in, target));
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, AnyProject(in));
  const bool changes = mode != OpenMode::kRead && !options_.dry_run;
  if (changes && in.world.environment.UserId() == 0 && !project->config().allow_root) {
    in.Warn(DtName(Dt::kPermission),
            "running as root, which nothing here needs; use a user of its own for the deploy root, "
            "or set deploy.allow_root: true");
  }
  RootOptions options;
  // A plan reads only: it takes no lock and recovers nothing (D181).
  const bool plan = options_.dry_run && !SLIPWAY_MUTANT("plan-recovers");
  options.mode = plan ? OpenMode::kRead : mode;
  options.command = in.command;
  options.wait_lock = options_.wait_lock;
  options.cancel = in.cancel;
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<DeployRoot> root,
                           DeployRoot::Open(in.world, path, options));
  for (const std::string& warning : root->warnings()) in.Warn(DtName(Dt::kPermission), warning);
  for (const RecoveredTx& tx : root->recovery().transactions) {
    std::vector<std::string> components;
    for (const Component& component : tx.components) components.push_back(component.ToString());
    in.Warn(
        DtName(Dt::kUnfinished),
        absl::StrCat("an interrupted ", tx.operation, " of ", absl::StrJoin(components, ", "),
                     " was ", tx.outcome == RecoveredTx::Outcome::kUndone ? "undone" : "finished"));
  }
  return root;
}

absl::StatusOr<ChangeOptions> Context::MakeChange(Invocation& in, absl::string_view) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, AnyProject(in));
  ChangeOptions change;
  change.dry_run = options_.dry_run;
  change.reason = options_.reason;
  change.links = LinksOf(*project, /*adopt=*/false);
  change.progress = FollowDeploy(MakeProgress(in));
  return change;
}

std::shared_ptr<base::cli::Progress> Context::MakeProgress(Invocation& in) {
  base::cli::Progress::Options options;
  options.mode = *base::cli::ParseProgressMode(options_.progress);  // one of the choices
  const bool silent = in.quiet || in.json;
  if (silent && options.mode == base::cli::ProgressMode::kAuto) {
    options.mode = base::cli::ProgressMode::kNone;
  }
  return std::make_shared<base::cli::Progress>(in.streams, in.world.clock, options);
}

ProgressFn FollowDeploy(const std::shared_ptr<base::cli::Progress>& progress) {
  struct Seen {
    std::optional<Progress::Phase> phase;
    Component component;
  };
  return [progress, seen = std::make_shared<Seen>()](const Progress& p) {
    if (seen->phase != p.phase || seen->component != p.component) {
      if (seen->phase.has_value()) progress->Finish();
      *seen = {p.phase, p.component};
      base::cli::ProgressSubject subject{PhaseName(p.phase), "", p.source};
      if (!p.component.type.empty()) subject.component = p.component.ToString();
      progress->Start(std::move(subject),
                      p.bytes_total > 0 ? std::optional<uint64_t>(p.bytes_total) : std::nullopt);
    }
    progress->Update(p.bytes, p.files);
    if (p.bytes_total > 0 && p.bytes == p.bytes_total) progress->Finish();
  };
}

LinkOptions LinksOf(const Project& project, bool adopt) {
  LinkOptions links;
  links.enabled = project.config().links_enabled;
  links.create_parents = project.config().create_parents;
  links.adopt = adopt;
  const auto add = [&](const std::map<std::string, std::string>& custom) {
    for (const auto& [path, target] : custom) {
      links.custom.push_back({project.Resolve(path), target});
    }
  };
  links.keep = {project.root};
  for (const std::string* path :
       {&project.config().deployment, &project.config().manifests, &project.config().releases,
        &project.config().publish, &project.config().dist}) {
    links.keep.push_back(project.Resolve(*path));
  }
  if (project.exists()) links.keep.push_back(project.file);
  for (const auto* stores : {&project.config().publish_targets, &project.config().deploy_sources}) {
    for (const StoreConfig& store : *stores) {
      if (!store.path.empty()) links.keep.push_back(project.Resolve(store.path));
    }
  }
  add(project.config().custom_links);
  for (const auto& [type, component] : project.config().components) add(component.custom_links);
  return links;
}

}  // namespace slipway::deploy::cli
