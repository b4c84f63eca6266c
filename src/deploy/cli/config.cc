#include "deploy/cli/config.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/config/nearest.h"
#include "base/semver/semver.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

using base::ConfigReader;

constexpr std::pair<absl::string_view, base::Codec> kCodecs[] = {
    {"gzip", base::Codec::kGzip}, {"zstd", base::Codec::kZstd}, {"none", base::Codec::kNone}};
constexpr std::pair<absl::string_view, VersionScheme> kSchemes[] = {
    {"semver", VersionScheme::kSemver}, {"any", VersionScheme::kAny}};
constexpr std::pair<absl::string_view, Durability> kDurabilities[] = {{"full", Durability::kFull},
                                                                      {"fast", Durability::kFast}};
constexpr std::pair<absl::string_view, absl::string_view> kProjectTypes[] = {
    {"algorithm", "algorithm"}, {"model", "model"}, {"service", "service"}, {"general", "general"}};
constexpr std::pair<absl::string_view, absl::string_view> kStoreTypes[] = {
    {"filesystem", "filesystem"}, {"fs", "filesystem"}, {"local", "filesystem"}, {"cas", "cas"}};
constexpr std::pair<absl::string_view, absl::string_view> kLogLevels[] = {
    {"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}};

// Words are kept as text, so that the struct stays printable.
void BindWord(ConfigReader& r, absl::string_view key, std::string* target,
              absl::Span<const std::pair<absl::string_view, absl::string_view>> table,
              absl::string_view help) {
  absl::string_view value = *target;
  r.Enum<absl::string_view>(key, &value, table, help);
  *target = std::string(value);
}

std::string CheckMtime(absl::string_view text) {
  int64_t seconds = 0;
  if (text == "source" || text == "epoch") return "";
  if (absl::SimpleAtoi(text, &seconds) && seconds >= 0) return "";
  return "is no mtime mode; write source, epoch or seconds since 1970";
}

std::string CheckFormatVersion(absl::string_view text) {
  int major = 0, minor = 0;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  const bool good = parts.size() == 2 && absl::SimpleAtoi(parts[0], &major) &&
                    absl::SimpleAtoi(parts[1], &minor) && major >= 1 && minor >= 0;
  return good ? "" : "is no config version; write \"1.0\"";
}

// Range of a level by its codec; a level without a codec is checked against the one in force.
void CheckLevel(ConfigReader& r, absl::string_view key, base::Codec codec, int level) {
  const auto [lowest, highest] = base::CodecLevels(codec);
  if (codec == base::Codec::kNone || (level >= lowest && level <= highest)) return;
  r.Problem(key, absl::StrCat("\"", level, "\" is out of range for ", base::CodecName(codec),
                              "; write a number from ", lowest, " to ", highest));
}

// A number is no path, though a directory may be called so: `./5` says that it is one.
std::string CheckPath(absl::string_view path) {
  double number = 0;
  return absl::SimpleAtod(path, &number) ? "is a number; write a path, like ./DIR" : "";
}

// Names are printed and recorded, so the value is not repeated: it may hold a URL with credentials.
void CheckStoreName(ConfigReader& r, absl::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
           c == ' ';
  });
  if (!plain) r.Problem("name", "is no name; use letters, digits, dot, - and _");
}

// What looks like a URL would become a directory of that name, and every record would hold the
// credentials in it; so the value is not repeated either (D16).
void RefuseUrl(ConfigReader& r, absl::string_view key, absl::string_view path) {
  if (!absl::StrContains(path, "://")) return;
  r.Problem(key, "is a URL; this version knows directories only: write a path");
}

void BindFileStore(ConfigReader& r, StoreConfig& store) {
  r.Text("path", &store.path, "Directory of a file store", CheckPath);
  if (store.type == "filesystem") r.Require("path", "write the directory of the store");
  RefuseUrl(r, "path", store.path);
  r.Text("prefix", &store.prefix, "Directory below path", [](absl::string_view prefix) {
    return prefix.empty() || base::CheckRelative(prefix).ok()
               ? ""
               : "is no relative path; write names separated by /";
  });
  std::string mode;
  r.Text("mode", &mode, "Permission bits of stored files, octal; empty: 0666 without the umask",
         [](absl::string_view text) {
           const bool octal = text.size() >= 3 && text.size() <= 4 &&
                              text.find_first_not_of("01234567") == absl::string_view::npos;
           const uint64_t bits = std::strtoul(std::string(text).c_str(), nullptr, 8);
           if (text.empty() || (octal && bits <= 0777 && (bits & 0600) == 0600)) return "";
           return octal
                      ? "let the owner not read and write, or set special bits; write 0600 to 0777"
                      : "are no permission bits; write them in octal, like 0644";
         });
  store.mode = static_cast<uint32_t>(std::strtoul(mode.c_str(), nullptr, 8));
}

bool IsLocal(absl::string_view endpoint) {
  return absl::StartsWith(endpoint, "localhost:") || absl::StartsWith(endpoint, "127.") ||
         absl::StartsWith(endpoint, "[::1]:");
}

void BindCasStore(ConfigReader& r, StoreConfig& store) {
  r.Text("endpoint", &store.endpoint, "Address of a CAS server, host:port");
  const bool plain = absl::StrContains(store.endpoint, ':') &&
                     !absl::StrContains(store.endpoint, "//") &&
                     !absl::StrContains(store.endpoint, '@');
  // Not repeated: it may be a URL with credentials (D16).
  if (!store.endpoint.empty() && !plain) r.Problem("endpoint", "is no address; write host:port");
  StoreConfig::Tls& tls = store.tls;
  r.Text("tls.ca", &tls.ca, "Certificates of who signs the server's; unset: the system's");
  r.Text("tls.cert", &tls.cert, "Own certificate, for servers that ask for one");
  r.Text("tls.key", &tls.key, "Its key");
  r.Text("tls.server_name", &tls.server_name, "Name in the server's certificate, if not the host");
  const bool any = !tls.ca.empty() || !tls.cert.empty() || !tls.server_name.empty();
  tls.enabled = any;
  r.Bool("tls.enabled", &tls.enabled, "Encrypt; also without further keys of tls");
  if (any && !tls.enabled) r.Problem("tls.enabled", "is false, but tls has keys; remove one");
  if (tls.cert.empty() != tls.key.empty()) {
    r.Problem(tls.cert.empty() ? "tls.key" : "tls.cert", "needs the other of cert and key");
  }
  r.Secret("token", &store.token, "Sent as authorization: Bearer");
  if (store.type == "cas") {
    r.Require("endpoint", "write the address of the server, host:port");
    if (!store.token.empty() && !tls.enabled && !IsLocal(store.endpoint)) {
      r.Warn("token", "is sent in the clear; add tls");
    }
    return;
  }
  for (const char* key : {"endpoint", "token"}) {
    if (r.Has(key) && !store.type.empty()) r.Problem(key, "belongs to stores of type cas");
  }
}

void BindStore(ConfigReader& r, StoreConfig& store, bool reference) {
  r.Text("name", &store.name, "Name of the store");
  r.Require("name", "give the store a name");
  CheckStoreName(r, store.name);
  BindWord(r, "type", &store.type, kStoreTypes, "Kind of the store");
  if (!reference) r.Require("type", "write type: filesystem");
  r.Int("priority", &store.priority, 0, 1'000'000, "Lower ones are asked first");
  BindFileStore(r, store);
  BindCasStore(r, store);
  for (const char* later :
       {"connections",   "part_size",     "ca_file",          "client_cert", "client_key",
        "max_rate",      "region",        "bucket",           "addressing",  "access_key",
        "secret_key",    "session_token", "credentials_file", "profile",     "credential_command",
        "storage_class", "sse",           "sts_token",        "url",         "bearer_token",
        "user",          "password",      "headers",          "insecure_tls"}) {
    r.Later(later);
  }
}

void BindComponent(ConfigReader& r, const std::string& type, base::Codec codec,
                   ComponentConfig& c) {
  if (type.front() != '<') {
    if (const absl::Status status = CheckType(type); !status.ok()) {
      r.Problem("", absl::StrCat(status.message(), "; rename the component"));
    }
  }
  r.Text("path", &c.path, "Directory that is packed");
  r.Text("description", &c.description, "For people");
  r.Texts("exclude", &c.exclude, "Patterns left out, gitignore syntax");
  r.Texts("include", &c.include, "Patterns taken in again");
  base::Codec own = codec;
  r.Enum<base::Codec>("compression", &own, kCodecs, "Compressor");
  if (r.Has("compression")) c.codec = own;
  r.Int("level", &c.level, 1, 19, "Level of the compressor: gzip 1-9, zstd 1-19");
  if (c.level.has_value()) CheckLevel(r, "level", own, *c.level);
  r.Texts("depends", &c.depends, "Needed components, like \"runtime >=3.10 <4\"");
  for (const std::string& text : c.depends) {
    const absl::Status status = ParseDependency(text).status();
    if (!status.ok()) {
      r.Problem("depends", absl::StrCat(status.message(), "; write it like \"runtime >=3.10 <4\""));
    }
  }
  r.Enum<VersionScheme>("version_scheme", &c.version_scheme, kSchemes,
                        "Which versions are allowed");
  r.Bool("allow_absolute_symlinks", &c.allow_absolute_symlinks,
         "Install links with absolute targets");
  r.TextMap("custom_links", &c.custom_links, "Path of a link to its target");
  for (const char* later : {"retention", "hooks", "services", "health", "access", "readonly"}) {
    r.Later(later);
  }
}

void BindProject(ConfigReader& r, Config& c) {
  r.Text("version", &c.version, "Format of this file", CheckFormatVersion);
  r.Text("project.name", &c.name, "Name of the project");
  BindWord(r, "project.type", &c.type, kProjectTypes, "Kind of the project");
  r.Text("project.description", &c.description, "For people");
  r.Text("project.root", &c.root, "Where relative paths start", CheckPath);
  r.Text("paths.deployment", &c.deployment, "Records and manifests", CheckPath);
  r.Text("paths.manifests", &c.manifests, "Manifests; unset: manifests below paths.deployment",
         CheckPath);
  r.Text("paths.releases", &c.releases, "Releases; unset: releases below paths.deployment",
         CheckPath);
  r.Text("paths.configs", &c.configs, "Unset: package-configs below paths.deployment", CheckPath);
  r.Text("paths.publish", &c.publish, "Publish records; unset: publish below paths.deployment",
         CheckPath);
  r.Text("paths.dist", &c.dist, "Finished packages", CheckPath);
  r.Text("paths.cache", &c.cache, "May be deleted at any time", CheckPath);
}

void BindPack(ConfigReader& r, Config& c) {
  r.Texts("pack.exclude", &c.pack_exclude, "Patterns left out beside the built-in ones");
  r.Texts("pack.include", &c.pack_include, "Patterns taken in again");
  r.Enum<base::Codec>("pack.compression.algorithm", &c.codec, kCodecs, "Compressor");
  c.level = base::CodecLevelDefault(c.codec);
  r.Int("pack.compression.level", &c.level, 1, 19, "gzip 1-9, zstd 1-19; unset: 6 or 3");
  if (r.Has("pack.compression.level")) CheckLevel(r, "pack.compression.level", c.codec, c.level);
  r.Text("pack.mtime", &c.mtime, "source, epoch, or seconds that mtimes are cut at", CheckMtime);
  for (const char* later :
       {"pack.threads", "pack.reproducible", "pack.file_index", "pack.pieces", "pack.sbom"}) {
    r.Later(later);
  }
}

void BindDeploy(ConfigReader& r, Config& c) {
  r.Text("deploy.root", &c.deploy_root, "Deploy root", CheckPath);
  RefuseUrl(r, "deploy.root", c.deploy_root);
  r.Bool("deploy.links.enabled", &c.links_enabled, "Keep links/<type>");
  r.TextMap("deploy.custom_links", &c.custom_links, "Path of a link to its target");
  r.Bool("deploy.create_parents", &c.create_parents, "Make missing directories of custom links");
  r.Bool("deploy.allow_root", &c.allow_root, "Do not warn when root installs");
  r.Enum<Durability>("deploy.durability", &c.durability, kDurabilities,
                     "full: on disk before it is visible");
  r.Map<TargetConfig>(
      "deploy.targets", &c.targets, "<name>",
      [](ConfigReader& target, const std::string&, TargetConfig& t) {
        target.Text("root", &t.root, "Deploy root of this target", CheckPath);
        RefuseUrl(target, "root", t.root);
        target.Later("manager");
        target.Later("selector");
      },
      "Named deploy roots");
  for (const char* later : {"deploy.retention", "deploy.generations_keep", "deploy.readonly",
                            "deploy.unpack_cache", "deploy.package_cache"}) {
    r.Later(later);
  }
}

// {name, priority} means the target of that name; with a type it is a store of its own.
void BindSource(ConfigReader& r, const Config& c, StoreConfig& store) {
  BindStore(r, store, /*reference=*/!r.Has("type") && !r.Has("path") && !r.Has("endpoint"));
  if (!store.type.empty() || store.name.empty()) return;
  std::vector<std::string> names;
  for (const StoreConfig& target : c.publish_targets) {
    names.push_back(target.name);
    if (target.name != store.name) continue;
    const int64_t priority = r.Has("priority") ? store.priority : target.priority;
    store = target;
    store.priority = priority;
    return;
  }
  const auto nearest = base::NearestWord(store.name, names);
  r.Problem("name", absl::StrCat("\"", store.name, "\" is no name in publish.targets; ",
                                 nearest.has_value() ? absl::StrCat("did you mean ", *nearest, "?")
                                                     : "add type and path, or name a target"));
}

void BindAll(ConfigReader& r, Config& c) {
  BindProject(r, c);
  BindPack(r, c);
  r.Map<ComponentConfig>(
      "components", &c.components, "<type>",
      [&c](ConfigReader& component, const std::string& type, ComponentConfig& out) {
        BindComponent(component, type, c.codec, out);
      },
      "The components of the project");
  r.List<StoreConfig>(
      "publish.targets", &c.publish_targets,
      [](ConfigReader& target, StoreConfig& store) { BindStore(target, store, false); },
      "Where packages go");
  r.Bool("publish.atomic", &c.publish_atomic, "All targets or none");
  r.Later("publish.chunked");
  r.Later("publish.immutable");
  BindDeploy(r, c);
  r.List<StoreConfig>(
      "deploy.sources", &c.deploy_sources,
      [&c](ConfigReader& source, StoreConfig& store) { BindSource(source, c, store); },
      "Where packages come from: the name of a target, or a store; unset: publish.targets");
  BindWord(r, "log.level", &c.log_level, kLogLevels, "What is logged");
  for (const char* later : {"log.format", "log.file", "log.lang", "transfer", "trust", "access",
                            "hooks", "services", "health", "metrics", "defaults", "plugins"}) {
    r.Later(later);
  }
  r.Free("environments", "Sections laid over the rest with --env NAME");
  r.Free("metadata", "Yours");
}

void CheckNames(ConfigReader& r, absl::string_view key, const std::vector<StoreConfig>& stores) {
  for (size_t i = 0; i < stores.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!stores[i].name.empty() && stores[i].name == stores[j].name) {
        r.Problem(key, absl::StrCat("two stores are named ", stores[i].name, "; rename one"));
      }
    }
  }
}

void FillPaths(Config& c) {
  for (const auto& [path, name] :
       {std::pair(&c.manifests, "manifests"), std::pair(&c.releases, "releases"),
        std::pair(&c.configs, "package-configs"), std::pair(&c.publish, "publish")}) {
    if (path->empty()) *path = absl::StrCat(c.deployment, "/", name);
  }
}

// A source may be the name of a target alone: `[local]` is `[{name: local}]`.
void ExpandSourceNames(base::ConfigNode& root) {
  base::ConfigNode* deploy = root.Find("deploy");
  base::ConfigNode* sources = deploy == nullptr ? nullptr : deploy->Find("sources");
  if (sources == nullptr) return;
  for (base::ConfigNode& source : sources->items) {
    if (source.kind != base::ConfigNode::Kind::kScalar) continue;
    base::ConfigNode map;
    map.kind = base::ConfigNode::Kind::kMap;
    map.origin = source.origin;
    const base::ConfigOrigin origin = source.origin;
    map.entries.push_back({"name", origin, std::move(source)});
    source = std::move(map);
  }
}

// Takes `environments.<name>` out of the tree and lays it over the rest.
absl::Status ApplyEnvironment(base::ConfigNode& root, const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  const std::vector<std::string> names = EnvironmentNames(root);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    const auto nearest = base::NearestWord(name, names);
    return Error(Dt::kConfig,
                 absl::StrCat("use environment ", name, ": not in the configuration; ",
                              names.empty() ? "it has none"
                                            : absl::StrCat("it has ", absl::StrJoin(names, ", "))),
                 nearest.has_value() ? absl::StrCat("use --env ", *nearest)
                                     : "add it under environments:, or leave --env out");
  }
  base::ConfigNode over = *root.Find("environments")->Find(name);
  if (over.kind == base::ConfigNode::Kind::kMap) base::MergeConfig(root, std::move(over));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Dependency> ParseDependency(absl::string_view text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(' ', 1));
  SLIPWAY_RETURN_IF_ERROR(CheckType(parts.first));
  const auto range = base::SemVerRange::Parse(parts.second);
  if (range.ok()) return Dependency{parts.first, parts.second};
  return Wrap(range.status(), Dt::kDependency, absl::StrCat("read dependency \"", text, "\""),
              "write it like \"runtime >=3.10 <4\"");
}

const std::vector<std::string>& DefaultExcludes() {
  static const auto* const kPatterns =
      new std::vector<std::string>{".git/",          ".hg/",         ".svn/",
                                   "__pycache__/",   "*.pyc",        "*.pyo",
                                   ".pytest_cache/", ".mypy_cache/", ".ipynb_checkpoints/",
                                   ".DS_Store",      "*.swp",        ".deploy-tool-cache/"};
  return *kPatterns;
}

std::vector<std::string> EnvironmentNames(const base::ConfigNode& file) {
  std::vector<std::string> names;
  if (const base::ConfigNode* node = file.Find("environments"); node != nullptr) {
    for (const auto& entry : node->entries) names.push_back(entry.key);
  }
  return names;
}

absl::StatusOr<LoadedConfig> BindConfig(ConfigSources sources, base::World& world) {
  SLIPWAY_RETURN_IF_ERROR(ApplyEnvironment(sources.file, sources.environment));
  // An environment that is not in use may refer to variables that are not set here.
  if (base::ConfigNode* rest = sources.file.Find("environments"); rest != nullptr) {
    rest->entries.clear();
    rest->items.clear();
  }
  base::ConfigProblems problems;
  base::ExpandConfig(sources.file, world.environment, problems);
  const base::ErrorInfo info = {DtName(Dt::kConfig),
                                "correct it, then run deploy-tool config validate"};
  SLIPWAY_RETURN_IF_ERROR(problems.ToStatus(info));
  base::OverlayEnvironment(sources.file, kEnvironmentPrefix, world.environment, problems);
  SLIPWAY_RETURN_IF_ERROR(problems.ToStatus(info));
  ExpandSourceNames(sources.file);
  LoadedConfig loaded;
  ConfigReader reader(sources.file, {&world.environment, &world.files, sources.directory});
  BindAll(reader, loaded.config);
  CheckNames(reader, "publish.targets", loaded.config.publish_targets);
  CheckNames(reader, "deploy.sources", loaded.config.deploy_sources);
  int major = 0;
  const std::string version = loaded.config.version;
  if (absl::SimpleAtoi(version.substr(0, version.find('.')), &major) && major > 1) {
    return Error(Dt::kFormat,
                 absl::StrCat("read configuration: version ", version,
                              " is newer than this deploy-tool understands (", kConfigVersion, ")"),
                 "upgrade deploy-tool");
  }
  SLIPWAY_RETURN_IF_ERROR(reader.Finish(info));
  FillPaths(loaded.config);
  loaded.warnings = reader.Warnings();
  loaded.values = reader.values();
  // Whatever is in it, a password even: it is not this program's to show (D16).
  std::erase_if(loaded.values,
                [](const base::ConfigField& field) { return field.Key() == "metadata"; });
  loaded.schema = reader.schema();
  return loaded;
}

}  // namespace slipway::deploy::cli
