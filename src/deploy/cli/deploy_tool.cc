#include "deploy/cli/deploy_tool.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/cli/stores.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

using base::Json;

// Spec 6.15.
Json Envelope(const std::string& version, const base::cli::Outcome& outcome) {
  Json json = Json::MakeObject({{"schema", "deploy-tool/1"}, {"command", outcome.command}});
  json.Set("ok", outcome.ok);
  json.Set("tool_version", version);
  json.Set("duration_ms", absl::ToInt64Milliseconds(outcome.duration));
  json.Set("data", outcome.data.is_null() ? Json::MakeObject() : outcome.data);
  Json& warnings = json.Set("warnings", Json::MakeArray());
  for (const base::cli::Warning& warning : outcome.warnings) {
    warnings.Append(Json::MakeObject({{"code", warning.code}, {"message", warning.message}}));
  }
  json.Set("error", outcome.error);
  return json;
}

struct Hint {
  Dt code;
  const char* text;
};

// For errors that know no better one: nobody shall be left without a next step (D204).
constexpr Hint kHints[] = {
    {Dt::kConfig, "deploy-tool config validate"},
    {Dt::kPathNotFound, "check the path; deploy-tool paths shows those of the project"},
    {Dt::kVersionFormat, "use MAJOR.MINOR.PATCH, for example 1.0.0"},
    {Dt::kStorage, "check that the directory of the store is there and can be written"},
    {Dt::kPermission, "check owner and mode of the path, or use a directory of your own"},
    {Dt::kDiskSpace, "free some space on that file system, then repeat the command"},
    {Dt::kChecksum,
     "publish the version again, or deploy it from another store with --source NAME"},
    {Dt::kMissing, "deploy-tool help shows what a command needs"},
    {Dt::kNotFound, "deploy-tool status shows what is installed"},
    {Dt::kReleaseNotFound, "deploy-tool release list"},
    {Dt::kExists, "use another name, or --force where the command has it"},
    {Dt::kType, "begin with a letter, then letters, digits, _ or -"},
    {Dt::kDependency, "change the components that are named together"},
    {Dt::kUnfinished, "deploy-tool recover"},
    {Dt::kChanged, "repeat the command when nothing writes to the files any more"},
    {Dt::kLocked, "repeat the command, or wait with --wait-lock 30s"},
    {Dt::kUnsafe, "do not use this package; tell those who made it"},
    {Dt::kFormat, "upgrade deploy-tool"},
    {Dt::kCancelled, "repeat the command; what was begun is undone or goes on from there"},
    {Dt::kTimeout, "repeat the command with more time"},
    {Dt::kInternal, "repeat it with --debug and report the output"}};

std::string HintOf(const absl::Status& status) {
  const std::string id = base::GetErrorInfo(status).code;
  for (const Hint& hint : kHints) {
    if (id == DtName(hint.code) || (id.empty() && hint.code == Dt::kInternal)) return hint.text;
  }
  return "";
}

base::cli::ProgramOptions MakeOptions(const std::string& version) {
  base::cli::ProgramOptions options;
  options.version = version;
  options.exit_of = ExitCodeOf;
  options.hint_of = HintOf;
  options.check_arguments = CheckArguments;
  options.usage_id = DtName(Dt::kConfig);
  options.missing_id = DtName(Dt::kMissing);
  options.internal_id = DtName(Dt::kInternal);
  options.output_id = DtName(Dt::kDiskSpace);
  options.envelope = [version](const base::cli::Outcome& outcome) {
    return Envelope(version, outcome);
  };
  return options;
}

void AddGlobals(Program& program, GlobalOptions& o) {
  Command& globals = program.globals();
  globals.Example("deploy-tool init", "make this directory a project");
  globals.Example("deploy-tool pack ./models --type model --version 1.0.0");
  globals.Example("deploy-tool publish model:1.0.0");
  globals.Example("deploy-tool deploy model:1.0.0");
  globals.Example("deploy-tool rollback model");
  globals
      .Text("--project-root,-C", "DIR", &o.project_root,
            "Project; else from the working directory up")
      .Completes(base::cli::ValueKind::kDirectory);
  globals.Text("--root", "DIR", &o.root, "Deploy root (deploy.root)")
      .Completes(base::cli::ValueKind::kDirectory);
  globals.Text("--config", "FILE", &o.config_file, "Configuration file of the project")
      .Completes(base::cli::ValueKind::kFile);
  globals.Text("--env", "NAME", &o.environment, "Lay environments.NAME over the configuration");
  globals.Choice("--progress", "MODE", &o.progress, {"auto", "bar", "plain", "json", "none"},
                 "How progress is shown, on stderr");
  globals.Flag("--verbose,-v", &o.verbose, "Log what happens, on stderr");
  globals.Flag("--debug,-d", &o.debug, "Log everything, on stderr");
  globals.Flag("--yes,-y", &o.yes, "Do not ask");
  globals.Flag("--no-confirm", &o.yes, "The same as --yes").Hidden();
  globals.Flag("--dry-run", &o.dry_run, "Show what a command would change, change nothing");
  globals.Duration("--wait-lock", "DUR", &o.wait_lock, "Wait so long for a lock (0)");
  globals.Text("--reason", "TEXT", &o.reason, "Why, for the history");
}

absl::Status StartLog(const GlobalOptions& o, Invocation& in) {
  base::LogOptions options;
  options.level = o.debug     ? base::LogLevel::kDebug
                  : o.verbose ? base::LogLevel::kInfo
                              : base::LogLevel::kWarn;
  options.logger = kProgramName;
  options.text_milliseconds = false;
  return base::ConfigureLog(options, in.world.clock);
}

}  // namespace

base::cli::Completer CompleteTypes(Context&) {
  return [](base::World& world) {
    std::set<std::string> types;
    const absl::StatusOr<Project> project = LoadProject(world, {});
    if (project.ok()) {
      for (const auto& [type, unused] : project->config().components) types.insert(type);
      const auto manifests = PackedManifests(world, *project);
      if (manifests.ok()) {
        for (const Manifest& manifest : *manifests) types.insert(manifest.component.type);
      }
      const auto root =
          DeployRoot::Open(world, project->Resolve(project->config().deploy_root), RootOptions());
      const auto installed = root.ok() ? (*root)->Types() : root.status();
      if (installed.ok()) types.insert(installed->begin(), installed->end());
    }
    std::vector<base::cli::Candidate> candidates;
    candidates.reserve(types.size());
    for (const std::string& type : types) candidates.push_back({type, ""});
    return candidates;
  };
}

base::cli::Completer CompleteSpecs(Context&) {
  return [](base::World& world) {
    std::vector<base::cli::Candidate> candidates;
    const absl::StatusOr<Project> project = LoadProject(world, {});
    if (!project.ok()) return candidates;
    const auto manifests = PackedManifests(world, *project);
    if (!manifests.ok()) return candidates;
    for (const Manifest& manifest : *manifests) {
      candidates.push_back({manifest.component.ToString(), manifest.description});
    }
    return candidates;
  };
}

DeployTool::DeployTool(const std::string& version, StoreOpeners openers)
    : context_(version, std::move(openers)),
      program_(std::make_unique<Program>(
          kProgramName, "Packs, publishes, deploys and switches versions of components.",
          MakeOptions(version))) {
  AddGlobals(*program_, context_.options());
  AddInit(*program_, context_);
  AddPack(*program_, context_);
  AddPublish(*program_, context_);
  AddDeploy(*program_, context_);
  AddVersion(*program_, context_);
  AddRollback(*program_, context_);
  AddLinks(*program_, context_);
  AddComponent(*program_, context_);
  AddStatus(*program_, context_);
  AddConfig(*program_, context_);
  program_->Before([this](Invocation& in) { return StartLog(context_.options(), in); });
}

DeployTool::~DeployTool() = default;

}  // namespace slipway::deploy::cli
