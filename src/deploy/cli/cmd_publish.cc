// publish; release create, which is the same (D13-D19, D102).
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/cli/table.h"
#include "base/sync/mutex.h"
#include "base/units.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/cli/stores.h"
#include "deploy/model/errors.h"
#include "deploy/repository/publisher.h"

namespace slipway::deploy::cli {
namespace {

struct PublishCommand {
  std::vector<std::string> specs, components, to;
  std::optional<std::string> release_version;
  std::string release_name;
  std::optional<bool> atomic;
  bool force = false;
};

// Adds up what all targets have done.
class Total {
 public:
  explicit Total(std::shared_ptr<base::cli::Progress> progress) : progress_(std::move(progress)) {}
  void Add(const PublishProgress& p) {
    base::MutexLock lock(mutex_);
    auto& [done, total] = parts_[absl::StrCat(p.target, "\n", p.component.ToString())];
    done = p.bytes_done;
    total = p.bytes_total;
    uint64_t all_done = 0, all_total = 0;
    for (const auto& [key, part] : parts_) {
      all_done += part.first;
      all_total += part.second;
    }
    progress_->SetTotal(all_total);
    progress_->Update(all_done);
  }

 private:
  std::shared_ptr<base::cli::Progress> progress_;
  base::Mutex mutex_;
  std::map<std::string, std::pair<uint64_t, uint64_t>> parts_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::vector<Component>> ComponentsOf(Invocation& in, const Project& project,
                                                    const PublishCommand& o) {
  std::vector<std::string> specs = o.specs;
  specs.insert(specs.end(), o.components.begin(), o.components.end());
  if (specs.empty()) {
    return Error(Dt::kMissing, "publish: no component is named", "deploy-tool publish model:1.0.0");
  }
  std::vector<Component> components;
  for (const std::string& text : specs) {
    SLIPWAY_ASSIGN_OR_RETURN(const ComponentSpec spec, ParseSpec(text));
    SLIPWAY_ASSIGN_OR_RETURN(Component component, FindPacked(in.world, project, spec));
    if (std::find(components.begin(), components.end(), component) == components.end()) {
      components.push_back(std::move(component));
    }
  }
  return components;
}

void Report(Invocation& in, const PublishReport& report, bool dry_run) {
  for (const std::string& warning : report.warnings) in.Warn("", warning);
  in.result = base::Json::MakeObject({{"dry_run", dry_run}});
  base::Json& targets = in.result.Set("targets", base::Json::MakeArray());
  base::cli::Table table({{"COMPONENT", base::cli::Align::kLeft, true},
                          {"TARGET"},
                          {"RESULT"},
                          {"SENT", base::cli::Align::kRight},
                          {"WHY", base::cli::Align::kLeft, true}});
  for (const PublishedTo& target : report.targets) {
    base::Json item = ComponentJson(target.component);
    item.Set("target", target.target);
    item.Set("result", PublishOutcomeName(target.outcome));
    item.Set("bytes_uploaded", target.bytes_uploaded);
    item.Set("message", std::string(target.status.message()));
    targets.Append(std::move(item));
    table.AddRow({target.component.ToString(), target.target,
                  std::string(PublishOutcomeName(target.outcome)),
                  base::FormatSize(target.bytes_uploaded), std::string(target.status.message())},
                 target.outcome == PublishOutcome::kFailed ? base::cli::Tone::kRed
                                                           : base::cli::Tone::kPlain);
  }
  base::Json& records = in.result.Set("records", base::Json::MakeArray());
  for (const std::string& record : report.records) records.Append(record);
  in.result.Set("release", TextJson(report.release));
  if (in.json) return;
  if (!table.empty()) in.streams.out << table.Render(in.streams);
  if (!report.release.empty()) {
    in.streams.out << (dry_run ? "would write release " : "release ")
                   << base::EscapeForTerminal(report.release) << "\n";
  }
}

struct Folders {
  std::unique_ptr<base::Dir> dist, manifests, records, releases;
};

// A dry run makes none: where there are no records yet, the manifests stand in for them, as these
// have other names.
absl::StatusOr<Folders> OpenFolders(Invocation& in, const Project& project, bool dry_run) {
  const Config& config = project.config();
  const auto open = [&](const std::string& path) {
    const std::string full = project.Resolve(path);
    if (!dry_run) return MakeDirectory(in.world, full, "publish");
    auto dir = OpenDirectory(in.world, full, "publish");
    return absl::IsNotFound(dir.status())
               ? OpenDirectory(in.world, project.Resolve(config.manifests), "publish")
               : std::move(dir);
  };
  Folders folders;
  SLIPWAY_ASSIGN_OR_RETURN(folders.dist, open(config.dist));
  SLIPWAY_ASSIGN_OR_RETURN(folders.manifests, open(config.manifests));
  SLIPWAY_ASSIGN_OR_RETURN(folders.records, open(config.publish));
  SLIPWAY_ASSIGN_OR_RETURN(folders.releases, open(config.releases));
  return folders;
}

absl::Status RunPublish(Context& context, const PublishCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Component> components, ComponentsOf(in, *project, o));
  const Config& config = project->config();
  const bool dry_run = context.options().dry_run;
  if (o.release_version.has_value() && !o.release_version->empty()) {
    SLIPWAY_RETURN_IF_ERROR(CheckReleaseVersion(*o.release_version).status());
  }
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<Store> stores,
                           OpenTargets(context.StoresOf(in, *project), o.to, dry_run));
  SLIPWAY_ASSIGN_OR_RETURN(const Folders folders, OpenFolders(in, *project, dry_run));
  std::vector<PublishTarget> targets;
  targets.reserve(stores.size());
  for (Store& store : stores) targets.push_back({store.name, *store.repository});
  const auto progress = context.MakeProgress(in);
  const auto total = std::make_shared<Total>(progress);
  PublishOptions options;
  options.atomic = o.atomic.value_or(config.publish_atomic);
  options.force = o.force;
  options.dry_run = dry_run;
  options.release_version = o.release_version;
  options.release_name = o.release_name;
  options.secrets = EnvironmentSecrets(in.world.environment);
  if (context.options().wait_lock > absl::ZeroDuration())
    options.lock_wait = context.options().wait_lock;
  if (!dry_run)
    progress->Start({"publish", components.size() == 1 ? components[0].ToString() : "", ""});
  const PublishReport report =
      Publish({{*folders.dist, *folders.manifests, *folders.records, *folders.releases,
                project->Relative(project->Resolve(config.manifests))},
               std::move(targets),
               components,
               std::move(options),
               in.world.clock,
               in.world.pool,
               in.cancel,
               [total](const PublishProgress& p) { total->Add(p); },
               0666 & ~in.world.environment.Umask()});
  if (report.status.ok()) progress->Finish();
  Report(in, report, dry_run);
  return report.status;
}

void AddOptions(Command& command, const std::shared_ptr<PublishCommand>& o, Context& context) {
  command.Arguments("SPEC", &o->specs, "type:version of what was packed; type alone: the highest")
      .Completes(CompleteSpecs(context));
  command.List("--component,-c", "SPEC", &o->components, "The same as SPEC");
  command.List("--to", "TARGET", &o->to, "Only this target of publish.targets");
  command.Text("--release-name", "NAME", &o->release_name, "Name of the release, for people");
  command.Switch("--atomic", &o->atomic, "All targets or none (publish.atomic)");
  command.Flag("--force", &o->force, "Replace other content of the same version");
}

}  // namespace

void AddPublish(Program& program, Context& context) {
  auto o = std::make_shared<PublishCommand>();
  Command& publish = program.Add("publish", "Put packed components into stores");
  publish.Example("deploy-tool publish model:1.0.0");
  publish.Example("deploy-tool publish model:1.0.0 config:2.1.0 --release-version 2024.01.20");
  publish.Description(
      "To all targets at once. A version becomes visible when all of it is there; what is "
      "published "
      "never changes.");
  AddOptions(publish, o, context);
  publish.Text("--release-version", "VERSION", &o->release_version,
               "Make a release of the components: YYYY.MM.DD, SemVer or a name");
  publish.Run([o, &context](Invocation& in) { return RunPublish(context, *o, in); });

  auto r = std::make_shared<PublishCommand>();
  program.AddGroup("release", "Named sets of components");
  Command& create = program.Add("release create", "Publish components as one release");
  create.Example("deploy-tool release create model:1.0.0 config:2.1.0",
                 "today's date is its version");
  AddOptions(create, r, context);
  create.Text("--release-version", "VERSION", &r->release_version,
              "YYYY.MM.DD, SemVer or a name; else the date of today and .N");
  create.Run([r, &context](Invocation& in) {
    if (!r->release_version.has_value()) r->release_version = "";
    return RunPublish(context, *r, in);
  });
}

}  // namespace slipway::deploy::cli
