// pack: a package of a directory (D6-D12).
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/units.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/cli/secret_words.h"
#include "deploy/model/errors.h"
#include "deploy/pack/packer.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy::cli {
namespace {

constexpr char kEpochVariable[] = "SOURCE_DATE_EPOCH";

struct PackCommand {
  std::string source;
  std::optional<std::string> type, version;
  std::optional<std::string> output, codec;
  std::optional<int> level;
  std::vector<std::string> exclude, include, depends, labels;
  std::optional<std::string> mtime;
  std::string description;
  bool compress_all = false, force = false, skip_special = false, allow_changing = false;
};

absl::StatusOr<Component> ComponentOf(const PackCommand& o, const Project& project) {
  if (!o.type.has_value() || !o.version.has_value()) {
    return Error(Dt::kMissing,
                 absl::StrCat("pack: ", o.type.has_value() ? "--version" : "--type", " is missing"),
                 "deploy-tool pack ./models --type model --version 1.0.0");
  }
  SLIPWAY_RETURN_IF_ERROR(CheckType(*o.type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(*o.version, project.SchemeOf(*o.type)));
  return Component{*o.type, *o.version};
}

// The source as an absolute path inside the project (DT002, DT017).
absl::StatusOr<std::string> SourceOf(Invocation& in, const PackCommand& o,
                                     const Component& component, const Project& project) {
  std::string path;
  if (!o.source.empty()) {
    path = FromWorkingDirectory(in.world, o.source);
  } else if (const ComponentConfig* c = project.FindComponent(component.type);
             c != nullptr && !c->path.empty()) {
    path = project.Resolve(c->path);
  } else {
    return Error(
        Dt::kMissing,
        absl::StrCat("pack ", component.ToString(), ": no directory is given, and components.",
                     component.type, ".path is not set"),
        absl::StrCat("deploy-tool pack ./DIR --type ", component.type, " --version ",
                     component.version));
  }
  const absl::StatusOr<std::string> real = in.world.files.Canonical(path);
  if (!real.ok() || !in.world.files.OpenRoot(*real).ok()) {
    const absl::Status status = real.ok() ? in.world.files.OpenRoot(*real).status() : real.status();
    const Dt code = FileErrorCode(status, Dt::kPathNotFound);
    return Wrap(status, code, absl::StrCat("pack ", component.ToString()),
                code == Dt::kPathNotFound ? "name an existing directory" : "");
  }
  const absl::StatusOr<std::string> root = in.world.files.Canonical(project.root);
  if (!root.ok()) return Wrap(root.status(), Dt::kPathNotFound, "open project");
  if (*real != *root && !absl::StartsWith(*real, *root == "/" ? *root : absl::StrCat(*root, "/"))) {
    return Error(Dt::kOutsideProject,
                 absl::StrCat("pack ", component.ToString(), ": ", *real,
                              " lies outside the project ", *root),
                 "move it into the project, or set project.root to a directory above both");
  }
  return *real;
}

std::vector<std::string> Negated(const std::vector<std::string>& patterns) {
  std::vector<std::string> lines;
  lines.reserve(patterns.size());
  for (const std::string& pattern : patterns) lines.push_back(absl::StrCat("!", pattern));
  return lines;
}

// In the order of D11: the last match wins.
void AddRules(const PackCommand& o, const Project& project, PackOptions& options) {
  options.rules.push_back({"defaults", DefaultExcludes()});
  options.rules.push_back({"pack.exclude", project.config().pack_exclude});
  options.rules.push_back({"pack.include", Negated(project.config().pack_include)});
  if (const ComponentConfig* c = project.FindComponent(options.component.type); c != nullptr) {
    const std::string key = absl::StrCat("components.", options.component.type);
    options.rules.push_back({absl::StrCat(key, ".exclude"), c->exclude});
    options.rules.push_back({absl::StrCat(key, ".include"), Negated(c->include)});
  }
  options.rules_before_ignore_files = options.rules.size();
  options.rules.push_back({"--exclude", o.exclude});
  options.rules.push_back({"--include", Negated(o.include)});
}

absl::Status SetCompression(const PackCommand& o, const Project& project, PackOptions& options) {
  const ComponentConfig* c = project.FindComponent(options.component.type);
  options.codec = project.config().codec;
  options.level = project.config().level;
  if (c != nullptr && c->codec.has_value() && *c->codec != options.codec) {
    options.codec = *c->codec;
    options.level = base::CodecLevelDefault(options.codec);
  }
  if (c != nullptr && c->level.has_value()) options.level = *c->level;
  if (o.codec.has_value()) {
    SLIPWAY_ASSIGN_OR_RETURN(const base::Codec codec, base::ParseCodec(*o.codec));
    if (codec != options.codec) options.level = base::CodecLevelDefault(codec);
    options.codec = codec;
  }
  if (o.level.has_value()) options.level = *o.level;
  const auto [lowest, highest] = base::CodecLevels(options.codec);
  if (options.codec != base::Codec::kNone && (options.level < lowest || options.level > highest)) {
    return Error(Dt::kConfig,
                 absl::StrCat("pack ", options.component.ToString(), ": level ", options.level,
                              " is out of range for ", base::CodecName(options.codec)),
                 absl::StrCat("use --level ", lowest, " to ", highest));
  }
  return absl::OkStatus();
}

// --mtime, pack.mtime, else SOURCE_DATE_EPOCH (D141).
absl::Status SetMtime(Invocation& in, const PackCommand& o, const Project& project,
                      PackOptions& options) {
  std::string mode = o.mtime.value_or(project.config().mtime);
  const std::optional<std::string> epoch = in.world.environment.Get(kEpochVariable);
  const char* origin = "--mtime";
  if (mode == "source" && !o.mtime.has_value() && epoch.has_value() && !epoch->empty()) {
    mode = *epoch;
    origin = kEpochVariable;
  }
  if (mode == "source") return absl::OkStatus();
  int64_t seconds = 0;
  if (mode != "epoch" && (!absl::SimpleAtoi(mode, &seconds) || seconds < 0)) {
    if (origin == kEpochVariable) {
      return Error(Dt::kConfig,
                   absl::StrCat("pack: ", kEpochVariable, " is no number of seconds since 1970"),
                   "unset it, or override it with --mtime source");
    }
    return Error(Dt::kConfig, "pack: --mtime is not source, epoch or seconds since 1970",
                 "use --mtime source, --mtime epoch or --mtime 1700000000");
  }
  options.mtime_epoch_s = seconds;
  options.mtime_fixed = mode == "epoch";
  return absl::OkStatus();
}

absl::Status SetMetadata(Invocation& in, const PackCommand& o, const Project& project,
                         PackOptions& options) {
  const ComponentConfig* c = project.FindComponent(options.component.type);
  std::vector<std::string> depends = o.depends;
  if (depends.empty() && c != nullptr) depends = c->depends;
  for (const std::string& text : depends) {
    SLIPWAY_ASSIGN_OR_RETURN(Dependency dependency, ParseDependency(text));
    options.dependencies.push_back(std::move(dependency));
  }
  for (const std::string& label : o.labels) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(label, absl::MaxSplits('=', 1));
    if (parts.first.empty() || !absl::StrContains(label, "=")) {
      return Error(Dt::kConfig, absl::StrCat("pack: --label ", label, " is not KEY=VALUE"),
                   "write it like --label team=nlp");
    }
    if (IsSecretKey(parts.first)) {
      return Error(Dt::kSecret,
                   absl::StrCat("pack: the label ", base::EscapeForTerminal(parts.first),
                                " is named like a secret; nothing was done"),
                   "labels are read by everybody; leave it out, or call it otherwise");
    }
    options.labels[parts.first] = parts.second;
  }
  options.description = !o.description.empty() ? o.description : c != nullptr ? c->description : "";
  // The manifest is read by others (D16).
  std::string written = absl::StrCat(options.source_path, "\n", options.description, "\n");
  for (const auto& [key, value] : options.labels) absl::StrAppend(&written, key, "\n", value, "\n");
  if (const absl::string_view found = SecretShape(written); !found.empty()) {
    return Error(Dt::kSecret,
                 absl::StrCat("pack: the path, the description or a label holds ", found,
                              "; nothing was done"),
                 "take it out: manifests are read by everybody");
  }
  return ScrubCheck(written, EnvironmentSecrets(in.world.environment));
}

void Report(Invocation& in, const Project& project, const std::string& dist,
            const PackResult& result, bool dry_run) {
  const Manifest& manifest = result.manifest;
  const std::string package = project.Relative(absl::StrCat(dist, "/", manifest.package.file));
  const std::string manifest_path = project.Relative(absl::StrCat(
      project.Resolve(project.config().manifests), "/", ManifestFileName(manifest.component)));
  base::Json& data = in.result = base::Json::MakeObject();
  data.Set("component", ComponentJson(manifest.component));
  data.Set("dry_run", dry_run);
  data.Set("unchanged", result.unchanged);
  // A plan writes nothing, so it knows neither digest nor size.
  data.Set("package", dry_run ? base::Json() : base::Json(package));
  data.Set("manifest", manifest_path);
  data.Set("algorithm", manifest.package.algorithm);
  data.Set("size", dry_run ? base::Json() : base::Json(manifest.package.size_bytes));
  data.Set("sha256", TextJson(manifest.package.sha256));
  data.Set("source_bytes", result.source_bytes);
  data.Set("source_files", result.source_files);
  base::Json& excluded = data.Set("excluded", base::Json::MakeObject());
  for (const auto& [rule, count] : manifest.excluded) excluded.Set(rule, count);
  if (in.json) return;
  std::ostream& out = in.streams.out;
  const std::string content = absl::StrCat(base::FormatSize(result.source_bytes), " in ",
                                           Count(result.source_files, "file"));
  if (dry_run) {
    out << "would pack " << manifest.component.ToString() << ": " << content << "\n";
  } else {
    out << (result.unchanged ? "unchanged " : "packed ") << manifest.component.ToString() << ": "
        << content << "\n"
        << "  package   " << base::EscapeForTerminal(package) << " ("
        << base::FormatSize(manifest.package.size_bytes) << ")\n"
        << "  sha256    " << manifest.package.sha256 << "\n"
        << "  manifest  " << base::EscapeForTerminal(manifest_path) << "\n";
  }
  for (const auto& [rule, count] : manifest.excluded) {
    out << "  excluded  " << Count(count, "entry") << " by " << base::EscapeForTerminal(rule)
        << "\n";
  }
}

absl::Status RunPack(Context& context, const PackCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  PackOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(options.component, ComponentOf(o, *project));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string source, SourceOf(in, o, options.component, *project));
  SLIPWAY_RETURN_IF_ERROR(SetCompression(o, *project, options));
  SLIPWAY_RETURN_IF_ERROR(SetMtime(in, o, *project, options));
  options.source_path = project->Relative(source);
  SLIPWAY_RETURN_IF_ERROR(SetMetadata(in, o, *project, options));
  AddRules(o, *project, options);
  options.compress_all = o.compress_all;
  options.skip_special = o.skip_special;
  options.allow_changing = o.allow_changing;
  options.force = o.force;
  options.dry_run = context.options().dry_run;
  options.tool_version = context.tool_version();
  options.created_at = in.world.clock.Wall();
  const std::string dist = o.output.has_value() ? FromWorkingDirectory(in.world, *o.output)
                                                : project->Resolve(project->config().dist);
  SLIPWAY_ASSIGN_OR_RETURN(auto source_dir, OpenDirectory(in.world, source, "pack"));
  // A plan makes no directories: what it would be written to is not asked for.
  SLIPWAY_ASSIGN_OR_RETURN(auto dist_dir, options.dry_run ? OpenDirectory(in.world, source, "pack")
                                                          : MakeDirectory(in.world, dist, "pack"));
  SLIPWAY_ASSIGN_OR_RETURN(
      auto manifests_dir,
      options.dry_run
          ? OpenDirectory(in.world, source, "pack")
          : MakeDirectory(in.world, project->Resolve(project->config().manifests), "pack"));
  const auto progress = context.MakeProgress(in);
  progress->Start({"pack", options.component.ToString(), ""});
  options.progress = [progress](const PackProgress& p) { progress->Update(p.bytes, p.files); };
  SLIPWAY_ASSIGN_OR_RETURN(const PackResult result, Pack(in.world, *source_dir, *dist_dir,
                                                         *manifests_dir, options, in.cancel));
  progress->Finish();
  for (const std::string& warning : result.warnings) in.Warn("", warning);
  Report(in, *project, dist, result, options.dry_run);
  return absl::OkStatus();
}

}  // namespace

void AddPack(Program& program, Context& context) {
  auto o = std::make_shared<PackCommand>();
  Command& pack = program.Add("pack", "Make a package of a directory");
  pack.Example("deploy-tool pack ./models --type model --version 1.0.0");
  pack.Example("deploy-tool pack --type model --version 1.1.0 --compress zstd --level 19",
               "the directory stands in components.model.path");
  pack.Description(
      "Writes dist/TYPE-VERSION.tar.* and its manifest. The source is read once; nothing stands "
      "under "
      "its final name unless it is whole.");
  pack.Argument("SOURCE", &o->source, "Directory to pack; else components.TYPE.path")
      .Completes(base::cli::ValueKind::kDirectory);
  pack.Text("--type", "TYPE", &o->type, "Component type").Completes(CompleteTypes(context));
  pack.Text("--version", "VERSION", &o->version, "Version of the component");
  pack.Text("--output", "DIR", &o->output, "Where the package goes (paths.dist)")
      .Completes(base::cli::ValueKind::kDirectory);
  pack.Choice("--compress", "ALG", &o->codec, {"gzip", "zstd", "none"}, "Compressor");
  pack.Int("--level", "N", &o->level, 1, 19, "Its level: gzip 1-9, zstd 1-19");
  pack.Flag("--compress-all", &o->compress_all,
            "Full level for everything, also what gains nothing");
  pack.List("--exclude", "PATTERN", &o->exclude, "Leave out, gitignore syntax");
  pack.List("--include", "PATTERN", &o->include, "Take in again");
  pack.Text("--mtime", "MODE", &o->mtime, "source, epoch, or seconds that mtimes are cut at");
  pack.Flag("--force", &o->force, "Replace a package with other content");
  pack.Flag("--skip-special", &o->skip_special,
            "Leave out devices, FIFOs and sockets with a warning");
  pack.Flag("--allow-changing", &o->allow_changing,
            "Only warn when a file changes while it is read");
  pack.List("--depends", "EXPR", &o->depends, "Needed component, like \"runtime >=3.10 <4\"");
  pack.List("--label", "KEY=VALUE", &o->labels, "Label in the manifest");
  pack.Text("--description", "TEXT", &o->description, "Description in the manifest");
  pack.Run([o, &context](Invocation& in) { return RunPack(context, *o, in); });
}

}  // namespace slipway::deploy::cli
