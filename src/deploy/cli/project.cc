#include "deploy/cli/project.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "deploy/cli/secret_words.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy::cli {
namespace {

constexpr absl::string_view kSecretWords[] = {"TOKEN",      "SECRET",  "PASSWORD",  "PASSWD",
                                              "ACCESS_KEY", "API_KEY", "CREDENTIAL"};
constexpr absl::string_view kPlaceSuffixes[] = {"_FILE", "_DIR", "_DIRECTORY", "_PATH"};
constexpr char kRootVariable[] = "DEPLOY_TOOL_PROJECT_ROOT";

// a/./b//c/../d -> a/b/d: by text, for paths that need not exist.
std::string Normalize(absl::string_view path) {
  std::vector<absl::string_view> parts;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != ".") {
      parts.push_back(part);
    }
  }
  return absl::StrCat("/", absl::StrJoin(parts, "/"));
}

// Whether a variable of this name, in upper case, holds a secret.
bool NamesSecret(absl::string_view name) {
  const auto contains = [name](absl::string_view word) { return absl::StrContains(name, word); };
  const auto ends = [name](absl::string_view suffix) { return absl::EndsWith(name, suffix); };
  return std::any_of(std::begin(kSecretWords), std::end(kSecretWords), contains) &&
         std::none_of(std::begin(kPlaceSuffixes), std::end(kPlaceSuffixes), ends);
}

bool HasConfig(base::World& world, const std::string& directory) {
  const auto dir = world.files.OpenRoot(directory);
  return dir.ok() && (*dir)->Stat(kConfigFile).ok();
}

absl::StatusOr<std::string> CanonicalDirectory(base::World& world, const std::string& path) {
  absl::StatusOr<std::string> canonical = world.files.Canonical(path);
  if (!canonical.ok()) {
    return Wrap(canonical.status(), FileErrorCode(canonical.status(), Dt::kPathNotFound),
                absl::StrCat("open project ", path), "name an existing directory");
  }
  return canonical;
}

// Directory and file of the configuration; an empty file where there is none.
absl::StatusOr<std::pair<std::string, std::string>> Locate(base::World& world,
                                                           const ProjectOptions& options) {
  if (options.config_file.has_value()) {
    const std::string file = FromWorkingDirectory(world, *options.config_file);
    SLIPWAY_ASSIGN_OR_RETURN(
        std::string directory,
        CanonicalDirectory(world,
                           std::string(file.substr(0, std::max<size_t>(1, file.rfind('/'))))));
    return std::pair(std::move(directory), file);
  }
  std::optional<std::string> given = options.project_root;
  if (!given.has_value()) given = world.environment.Get(kRootVariable);
  if (given.has_value() && !given->empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(std::string directory,
                             CanonicalDirectory(world, FromWorkingDirectory(world, *given)));
    if (!HasConfig(world, directory)) {
      return Error(Dt::kPathNotFound,
                   absl::StrCat("open project ", directory, ": there is no ", kConfigFile),
                   absl::StrCat("deploy-tool init ", directory));
    }
    return std::pair(directory, absl::StrCat(directory, "/", kConfigFile));
  }
  const std::string start = world.environment.WorkingDirectory();
  const std::optional<std::string> found = FindProjectRoot(world, start);
  if (!found.has_value()) return std::pair(start, std::string());
  return std::pair(*found, absl::StrCat(*found, "/", kConfigFile));
}

// D39: without a home, "~/x" would be /x.
absl::Status CheckHome(const Project& project) {
  if (!project.home.empty()) return absl::OkStatus();
  std::vector<std::string> paths;
  for (const base::ConfigField& field : project.loaded.values) {
    if (StartsAtHome(field.value)) paths.push_back(field.Key());
  }
  const auto add = [&](const std::map<std::string, std::string>& links) {
    for (const auto& [path, target] : links) {
      if (StartsAtHome(path) || StartsAtHome(target)) paths.push_back("custom_links");
    }
  };
  add(project.config().custom_links);
  for (const auto& [type, component] : project.config().components) add(component.custom_links);
  if (paths.empty()) return absl::OkStatus();
  return Error(Dt::kConfig,
               absl::StrCat("read configuration: ", paths.front(),
                            " starts at ~, but the variable HOME holds no absolute path"),
               "set HOME, or write the path out");
}

}  // namespace

bool StartsAtHome(absl::string_view path) { return path == "~" || absl::StartsWith(path, "~/"); }

std::optional<std::string> FindProjectRoot(base::World& world, absl::string_view start) {
  std::string directory = Normalize(start);
  while (true) {
    if (HasConfig(world, directory)) return directory;
    if (directory == "/") return std::nullopt;
    directory = directory.substr(0, std::max<size_t>(1, directory.rfind('/')));
  }
}

std::string FromWorkingDirectory(base::World& world, absl::string_view path) {
  if (absl::StartsWith(path, "/")) return Normalize(path);
  return Normalize(absl::StrCat(world.environment.WorkingDirectory(), "/", path));
}

absl::StatusOr<Project> LoadProject(base::World& world, const ProjectOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto located, Locate(world, options));
  Project project;
  project.root = located.first;
  project.file = located.second;
  // A relative one would be another directory in each place.
  const std::string home = world.environment.Get("HOME").value_or("");
  if (absl::StartsWith(home, "/")) project.home = home;
  ConfigSources sources;
  sources.directory = project.root;
  sources.environment = options.environment;
  const std::string name = project.exists() ? project.file : kConfigFile;
  absl::StatusOr<base::ConfigNode> node = base::ParseConfig("", name);
  if (project.exists()) node = base::LoadConfig(world.files, project.file);
  if (!node.ok()) {
    // A limit of what a configuration may be, never a full disk.
    const Dt code = absl::IsResourceExhausted(node.status())
                        ? Dt::kConfig
                        : FileErrorCode(node.status(), Dt::kConfig);
    const bool no_file = code != Dt::kConfig || absl::IsFailedPrecondition(node.status());
    absl::string_view hint = "correct it, then run deploy-tool config validate";
    if (no_file) hint = code == Dt::kPermission ? "" : "name an existing file with --config";
    return Wrap(node.status(), code, "read configuration", hint);
  }
  sources.file = *std::move(node);
  SLIPWAY_ASSIGN_OR_RETURN(project.loaded, BindConfig(std::move(sources), world));
  SLIPWAY_RETURN_IF_ERROR(CheckHome(project));
  project.root = project.Resolve(project.config().root);
  return project;
}

std::string Project::Resolve(absl::string_view path) const {
  if (StartsAtHome(path) && !home.empty()) return Normalize(absl::StrCat(home, path.substr(1)));
  if (absl::StartsWith(path, "/")) return Normalize(path);
  return Normalize(absl::StrCat(root, "/", path));
}

std::string Project::Relative(absl::string_view path) const {
  if (path == root) return ".";
  absl::string_view rest = path;
  if (absl::ConsumePrefix(&rest, root == "/" ? root : absl::StrCat(root, "/"))) {
    return absl::StrCat("./", rest);
  }
  return std::string(path);
}

const ComponentConfig* Project::FindComponent(absl::string_view type) const {
  const auto found = config().components.find(std::string(type));
  return found == config().components.end() ? nullptr : &found->second;
}

VersionScheme Project::SchemeOf(absl::string_view type) const {
  const ComponentConfig* component = FindComponent(type);
  return component == nullptr ? VersionScheme::kSemver : component->version_scheme;
}

std::vector<std::string> EnvironmentSecrets(base::Environment& environment) {
  constexpr size_t kSecretBytesMin = 8;  // shorter ones would be found by chance
  std::vector<std::string> secrets;
  for (const std::string& name : environment.Names()) {
    if (!NamesSecret(absl::AsciiStrToUpper(name))) continue;
    const std::optional<std::string> value = environment.Get(name);
    if (value.has_value() && value->size() >= kSecretBytesMin) secrets.push_back(*value);
  }
  return secrets;
}

absl::Status CheckArguments(absl::Span<const std::string> args, base::World& world) {
  const std::vector<std::string> secrets = EnvironmentSecrets(world.environment);
  for (size_t i = 0; i < args.size(); ++i) {
    absl::string_view found = SecretShape(args[i]);
    if (!ScrubCheck(args[i], secrets).ok()) {
      found = "a secret of the environment or a URL with credentials";
    }
    if (found.empty()) continue;
    return Error(
        Dt::kSecret,
        absl::StrCat("read arguments: argument ", i + 1, " holds ", found, "; nothing was done"),
        "leave it out: arguments are recorded, and everybody on this machine sees them");
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy::cli
