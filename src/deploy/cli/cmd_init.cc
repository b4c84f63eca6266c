// init: a project from nothing (D100).
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/files.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/diff.h"
#include "deploy/cli/render.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

struct InitOptions {
  std::string path = ".";
  std::optional<std::string> name;
  std::string type = "algorithm";
  std::string description;
  bool force = false;
  bool git = true;
};

struct NewFile {
  std::string name;
  std::string text;
};

constexpr const char* kFolders[] = {"deployment",
                                    "deployment/package-configs",
                                    "deployment/manifests",
                                    "deployment/releases",
                                    "deployment/publish",
                                    "dist",
                                    "src"};

constexpr char kGitIgnore[] =
    R"(# Packages and caches of deploy-tool; manifests, releases and records belong into Git.
/dist/
/packages/
/deployments/
/.deploy-tool-cache/
*.tar
*.tar.gz
*.tar.zst
)";

// Store and deploy root lie in the project: the first deployment needs no right that its user has
// not got (D4, D5).
std::string ConfigText(const InitOptions& o, absl::string_view name) {
  std::string text = absl::StrCat("version: \"1.0\"\n\nproject:\n  name: ", base::QuoteYaml(name),
                                  "\n  type: ", o.type, "\n");
  if (!o.description.empty()) {
    absl::StrAppend(&text, "  description: ", base::QuoteYaml(o.description), "\n");
  }
  return absl::StrCat(text, R"(
# What can be packed: deploy-tool pack --type model --version 1.0.0
components: {}
#  model:
#    path: ./models

# Where packages go: deploy-tool publish model:1.0.0
publish:
  targets:
    - name: local
      type: filesystem
      path: ./packages

# Where they are installed: deploy-tool deploy model:1.0.0
deploy:
  root: ./deployments
)");
}

// Writes `file` where there is none; else shows how it differs and writes it beside as .new.
absl::Status WriteNewFile(Invocation& in, base::Dir& dir, const NewFile& file, bool dry_run,
                          std::vector<std::string>* created) {
  const absl::StatusOr<std::string> existing = base::ReadFile(dir, file.name, 1 << 20);
  if (existing.ok() && *existing == file.text) return absl::OkStatus();
  const std::string name = existing.ok() ? absl::StrCat(file.name, ".new") : file.name;
  if (existing.ok()) {
    in.Warn(DtName(Dt::kExists),
            absl::StrCat(file.name, " exists and stays; the new one is ", name));
    if (!in.json && !in.quiet) in.streams.err << DiffLines(*existing, file.text);
  }
  created->push_back(name);
  if (dry_run) return absl::OkStatus();
  const absl::Status status = base::WriteFileDurably(
      dir, name, file.text, 0666 & ~in.world.environment.Umask(),
      existing.ok() ? base::RenameMode::kReplace : base::RenameMode::kNoReplace);
  return status.ok()
             ? status
             : Wrap(status, FileErrorCode(status, Dt::kStorage), absl::StrCat("write ", name));
}

absl::StatusOr<bool> IsEmpty(base::Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::DirCursor> cursor, dir.List());
  SLIPWAY_ASSIGN_OR_RETURN(const auto entry, cursor->Next());
  return !entry.has_value();
}

absl::Status CheckPlace(Invocation& in, const InitOptions& o, const std::string& path, bool yes) {
  if (const auto project = FindProjectRoot(in.world, path); project.has_value()) {
    return Error(Dt::kExists,
                 absl::StrCat("make project ", path, ": ", *project, " is one already"),
                 "use that project, or choose a directory outside it");
  }
  const auto dir = in.world.files.OpenRoot(path);
  if (!dir.ok()) {
    if (absl::IsNotFound(dir.status())) return absl::OkStatus();
    const Dt code = FileErrorCode(dir.status(), Dt::kExists);
    return Wrap(dir.status(), code, "make project",
                code == Dt::kExists ? "choose another directory" : "");
  }
  const absl::StatusOr<bool> empty = IsEmpty(**dir);
  if (!empty.ok()) return Wrap(empty.status(), Dt::kPermission, "make project");
  if (*empty || o.force) return absl::OkStatus();
  return in.Confirm(absl::StrCat("use ", path, ", which is not empty"), yes, DtName(Dt::kMissing));
}

absl::Status MakeFolders(Invocation& in, const std::string& path, bool dry_run,
                         std::vector<std::string>* created) {
  const auto existing = in.world.files.OpenRoot(path);
  for (const char* folder : kFolders) {
    if (existing.ok() && (*existing)->Stat(folder).ok()) continue;
    created->push_back(absl::StrCat(folder, "/"));
    if (dry_run) continue;
    SLIPWAY_RETURN_IF_ERROR(
        MakeDirectory(in.world, absl::StrCat(path, "/", folder), absl::StrCat("make ", folder))
            .status());
  }
  return absl::OkStatus();
}

absl::Status RunInit(Context& context, InitOptions o, Invocation& in) {
  const GlobalOptions& global = context.options();
  const std::string path = FromWorkingDirectory(in.world, o.path);
  SLIPWAY_RETURN_IF_ERROR(CheckPlace(in, o, path, global.yes || global.dry_run));
  const std::string folder = path.substr(path.rfind('/') + 1);
  const std::string suggested = folder.empty() ? "project" : folder;
  if (!o.name.has_value() && in.streams.in_is_terminal && !in.json && !global.yes) {
    o.name = in.Ask(absl::StrCat("Name of the project [", suggested, "]:"), suggested);
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
  }
  const std::string name = o.name.value_or(suggested);
  if (name.empty() || !base::IsUtf8(name)) {
    return Error(Dt::kMissing, "make project: the name is empty or not UTF-8",
                 "give one with --name");
  }
  std::vector<std::string> created;
  SLIPWAY_RETURN_IF_ERROR(MakeFolders(in, path, global.dry_run, &created));
  auto dir = in.world.files.OpenRoot(path);
  if (dir.ok()) {
    if (o.git) {
      SLIPWAY_RETURN_IF_ERROR(
          WriteNewFile(in, **dir, {".gitignore", kGitIgnore}, global.dry_run, &created));
    }
    // Last: with it the directory is a project.
    SLIPWAY_RETURN_IF_ERROR(
        WriteNewFile(in, **dir, {kConfigFile, ConfigText(o, name)}, global.dry_run, &created));
  } else if (global.dry_run) {
    if (o.git) created.push_back(".gitignore");
    created.push_back(kConfigFile);
  } else {
    return Wrap(dir.status(), FileErrorCode(dir.status(), Dt::kStorage), "make project");
  }
  in.result =
      base::Json::MakeObject({{"project", name}, {"path", path}, {"dry_run", global.dry_run}});
  base::Json list = base::Json::MakeArray();
  for (const std::string& entry : created) list.Append(entry);
  in.result.Set("created", std::move(list));
  if (in.json) return absl::OkStatus();
  in.streams.out << (global.dry_run ? "would make" : "made") << " project "
                 << base::EscapeForTerminal(name) << " in " << base::EscapeForTerminal(path)
                 << "\n";
  for (const std::string& entry : created) in.streams.out << "  " << entry << "\n";
  if (!in.quiet && !global.dry_run) {
    in.streams.out << "next: deploy-tool pack ./DIR --type model --version 1.0.0\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddInit(Program& program, Context& context) {
  auto o = std::make_shared<InitOptions>();
  Command& init = program.Add("init", "Make a project");
  init.Example("deploy-tool init", "in the directory that shall be the project");
  init.Example("deploy-tool init ./demo --name demo --type model");
  init.Argument("PATH", &o->path, "Directory of the project (.)")
      .Completes(base::cli::ValueKind::kDirectory);
  init.Text("--name,-n", "NAME", &o->name, "Name of the project; else that of its directory");
  init.Choice("--type,-t", "TYPE", &o->type, {"algorithm", "model", "service", "general"}, "Kind");
  init.Text("--description,-d", "TEXT", &o->description, "For people");
  init.Flag("--force,-f", &o->force, "Use a directory that is not empty, without asking");
  init.Switch("--git", &o->git, "Write .gitignore");
  init.Run([o, &context](Invocation& in) { return RunInit(context, *o, in); });
}

}  // namespace slipway::deploy::cli
