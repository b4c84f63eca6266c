// config show, config validate, paths (D38, D39, D105).
#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

struct ConfigCommand {
  bool defaults = false, origin = false, table = false, tree = false, show_config = false;
  std::optional<std::string> resolve, validate;
};

base::Json FieldsJson(const std::vector<base::ConfigField>& fields) {
  base::Json list = base::Json::MakeArray();
  for (const base::ConfigField& field : fields) {
    if (field.later || field.value.empty()) continue;
    base::Json item = base::Json::MakeObject({{"key", field.Key()}, {"value", field.value}});
    item.Set("origin", field.origin.Text());
    list.Append(std::move(item));
  }
  return list;
}

absl::StatusOr<LoadedConfig> Defaults(Invocation& in) {
  ConfigSources sources;
  SLIPWAY_ASSIGN_OR_RETURN(sources.file, base::ParseConfig("", "defaults"));
  return BindConfig(std::move(sources), in.world);
}

absl::Status RunShow(Context& context, const ConfigCommand& o, Invocation& in) {
  LoadedConfig loaded;
  if (o.defaults || o.table) {
    SLIPWAY_ASSIGN_OR_RETURN(loaded, Defaults(in));
  } else {
    SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.AnyProject(in));
    loaded = project->loaded;
    in.result.Set("file", TextJson(project->file));
  }
  in.result.Set("values", FieldsJson(loaded.values));
  if (in.json) return absl::OkStatus();
  in.streams.out << (o.table ? base::ConfigTable(loaded.schema)
                             : base::ShowConfig(loaded.values, o.origin));
  return absl::OkStatus();
}

// The file as it is, and with each of its environments.
absl::Status RunValidate(Context& context, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(const base::ConfigNode file,
                           base::LoadConfig(in.world.files, project->file));
  const std::vector<std::string> environments = EnvironmentNames(file);
  for (const std::string& environment : environments) {
    ConfigSources sources;
    sources.file = file;
    sources.environment = environment;
    sources.directory = project->root;
    const absl::Status status = BindConfig(std::move(sources), in.world).status();
    if (!status.ok()) return base::Annotate(status, absl::StrCat("environment ", environment));
  }
  in.result = base::Json::MakeObject({{"file", project->file}, {"valid", true}});
  if (in.json) return absl::OkStatus();
  in.streams.out << "config ok: " << base::EscapeForTerminal(project->file);
  if (!environments.empty()) in.streams.out << " (and " << absl::StrJoin(environments, ", ") << ")";
  in.streams.out << "\n";
  return absl::OkStatus();
}

absl::Status ValidatePath(Invocation& in, const Project& project, const std::string& path) {
  const std::string full = project.Resolve(path);
  const absl::StatusOr<std::string> real = in.world.files.Canonical(full);
  if (!real.ok()) {
    return Wrap(real.status(), FileErrorCode(real.status(), Dt::kPathNotFound), "check path");
  }
  const std::string relative = project.Relative(*real);
  in.result = base::Json::MakeObject({{"path", *real}, {"inside_project", relative != *real}});
  if (!in.json) in.streams.out << base::EscapeForTerminal(relative) << "\n";
  if (relative != *real) return absl::OkStatus();
  return Error(Dt::kOutsideProject,
               absl::StrCat("check path ", *real, ": outside the project ", project.root),
               "name a path inside the project");
}

// The keys that say where things lie, with where they come from.
void ShowPathKeys(Invocation& in, const Project& project) {
  std::vector<base::ConfigField> fields;
  for (const base::ConfigField& field : project.loaded.values) {
    const std::string key = field.Key();
    const bool place = absl::StartsWith(key, "paths.") || key == "project.root" ||
                       key == "deploy.root" || absl::EndsWith(key, ".path");
    if (place) fields.push_back(field);
  }
  in.result = base::Json::MakeObject({{"file", TextJson(project.file)}});
  in.result.Set("values", FieldsJson(fields));
  if (!in.json) in.streams.out << base::ShowConfig(fields, /*origins=*/true);
}

// What lies in `dir`, by name; at most `left` more lines.
absl::Status AddTree(base::Dir& dir, const std::string& indent, int depth, size_t& left,
                     std::string& out) {
  std::vector<base::DirEntry> entries;
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, dir.List());
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry) break;
    entries.push_back(*std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const base::DirEntry& a, const base::DirEntry& b) { return a.name < b.name; });
  for (const base::DirEntry& entry : entries) {
    if (left == 0) {
      absl::StrAppend(&out, indent, "...\n");
      return absl::OkStatus();
    }
    --left;
    const bool directory = entry.kind == base::FileKind::kDirectory;
    absl::StrAppend(&out, indent, base::EscapeForTerminal(entry.name), directory ? "/" : "", "\n");
    if (!directory || depth <= 1) continue;
    const auto below = dir.OpenDir(entry.name);
    if (below.ok()) SLIPWAY_RETURN_IF_ERROR(AddTree(**below, indent + "  ", depth - 1, left, out));
  }
  return absl::OkStatus();
}

// The directories that the tool keeps in the project, with what is in them.
absl::Status ShowTree(Invocation& in, const Project& project) {
  constexpr int kDepth = 3;
  size_t left = 1000;  // lines
  std::string text = absl::StrCat(base::EscapeForTerminal(project.root), "/\n");
  for (const std::string* path : {&project.config().deployment, &project.config().dist}) {
    const std::string full = project.Resolve(*path);
    const auto dir = in.world.files.OpenRoot(full);
    absl::StrAppend(&text, "  ", base::EscapeForTerminal(project.Relative(full)), "/",
                    dir.ok() ? "" : "  (not there)", "\n");
    if (!dir.ok()) continue;
    const absl::Status added = AddTree(**dir, "    ", kDepth, left, text);
    if (!added.ok()) return Wrap(added, FileErrorCode(added, Dt::kStorage), "read project");
  }
  in.result = base::Json::MakeObject({{"tree", text}});
  if (!in.json) in.streams.out << text;
  return absl::OkStatus();
}

absl::Status RunPaths(Context& context, const ConfigCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  if (o.tree) return ShowTree(in, *project);
  if (o.show_config) {
    ShowPathKeys(in, *project);
    return absl::OkStatus();
  }
  for (const auto& path : {o.validate, o.resolve}) {
    if (!path.has_value() || !StartsAtHome(*path) || !project->home.empty()) continue;
    return Error(Dt::kConfig,
                 absl::StrCat("resolve ", *path, ": the variable HOME holds no absolute path"),
                 "set HOME, or write the path out");
  }
  if (o.validate.has_value()) return ValidatePath(in, *project, *o.validate);
  if (o.resolve.has_value()) {
    const std::string path = project->Resolve(*o.resolve);
    in.result = base::Json::MakeObject({{"path", path}});
    if (!in.json) in.streams.out << base::EscapeForTerminal(path) << "\n";
    return absl::OkStatus();
  }
  const Config& config = project->config();
  const std::pair<const char*, std::string> rows[] = {
      {"project", project->root},
      {"config", project->file},
      {"deployment", project->Resolve(config.deployment)},
      {"manifests", project->Resolve(config.manifests)},
      {"releases", project->Resolve(config.releases)},
      {"configs", project->Resolve(config.configs)},
      {"publish", project->Resolve(config.publish)},
      {"dist", project->Resolve(config.dist)},
      {"cache", project->Resolve(config.cache)},
      {"deploy root", project->Resolve(config.deploy_root)}};
  for (const auto& [name, path] : rows) {
    in.result.Set(name == absl::string_view("deploy root") ? "deploy_root" : name, path);
    if (!in.json) {
      in.streams.out << name << std::string(13 - absl::string_view(name).size(), ' ')
                     << base::EscapeForTerminal(path) << "\n";
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddConfig(Program& program, Context& context) {
  auto o = std::make_shared<ConfigCommand>();
  program.AddGroup("config", "The configuration of the project");
  Command& show = program.Add("config show", "Print the configuration in force");
  show.Example("deploy-tool config show --origin", "with where each value came from");
  show.Example("deploy-tool config show --defaults");
  show.Flag("--defaults", &o->defaults, "Only what holds without any file");
  show.Flag("--origin", &o->origin, "Say behind each value where it came from");
  show.Flag("--table", &o->table, "All keys with their meaning, as a Markdown table");
  show.Run([o, &context](Invocation& in) { return RunShow(context, *o, in); });
  Command& validate =
      program.Add("config validate", "Check the configuration and its environments");
  validate.Example("deploy-tool config validate");
  validate.Run([&context](Invocation& in) { return RunValidate(context, in); });
  Command& paths = program.Add("paths", "Print where things lie");
  paths.Example("deploy-tool paths");
  paths.Example("deploy-tool paths --resolve ./models");
  paths.Flag("--tree", &o->tree,
             "The directories of the tool in the project, with what is in them");
  paths.Flag("--show-config", &o->show_config, "The keys behind the paths, and their origin");
  paths.Text("--resolve", "PATH", &o->resolve, "The absolute form of a project path");
  paths.Text("--validate", "PATH", &o->validate, "Check that a path lies inside the project");
  paths.Run([o, &context](Invocation& in) { return RunPaths(context, *o, in); });
}

}  // namespace slipway::deploy::cli
