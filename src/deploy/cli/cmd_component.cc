// component list, show; release list, show (D104).
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/cli/table.h"
#include "base/units.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/cli/stores.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy::cli {
namespace {

struct ListCommand {
  std::string type, spec, release;
  int limit = 20;
  std::string sort = "version";
  bool reverse = false;
};

base::Json ManifestJson(const Manifest& manifest) {
  base::Json json = ComponentJson(manifest.component);
  json.Set("created_at", base::FormatRfc3339(manifest.created_at));
  json.Set("file", manifest.package.file);
  json.Set("size", manifest.package.size_bytes);
  json.Set("algorithm", manifest.package.algorithm);
  json.Set("sha256", manifest.package.sha256);
  json.Set("files", manifest.package.content.has_value()
                        ? base::Json(manifest.package.content->files)
                        : base::Json());
  json.Set("bytes", manifest.package.content.has_value()
                        ? base::Json(manifest.package.content->bytes)
                        : base::Json());
  json.Set("source_path", manifest.source_path);
  json.Set("description", TextJson(manifest.description));
  return json;
}

absl::Status RunComponentList(Context& context, const ListCommand& o, Invocation& in) {
  if (!o.type.empty()) SLIPWAY_RETURN_IF_ERROR(CheckType(o.type));
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<Manifest> manifests, PackedManifests(in.world, *project));
  if (o.sort == "date") {
    std::stable_sort(manifests.begin(), manifests.end(), [](const Manifest& a, const Manifest& b) {
      return a.created_at > b.created_at;
    });
  }
  if (o.reverse) std::reverse(manifests.begin(), manifests.end());
  base::Json& list = in.result.Set("components", base::Json::MakeArray());
  base::cli::Table table({{"COMPONENT", base::cli::Align::kLeft, true},
                          {"CREATED"},
                          {"PACKAGE", base::cli::Align::kRight},
                          {"CONTENT", base::cli::Align::kRight},
                          {"FILES", base::cli::Align::kRight},
                          {"CODEC"}});
  int count = 0;
  for (const Manifest& manifest : manifests) {
    if (!o.type.empty() && manifest.component.type != o.type) continue;
    if (count++ == o.limit) break;
    list.Append(ManifestJson(manifest));
    const auto& content = manifest.package.content;
    table.AddRow({manifest.component.ToString(), base::FormatRfc3339(manifest.created_at),
                  base::FormatSize(manifest.package.size_bytes),
                  content.has_value() ? base::FormatSize(content->bytes) : "-",
                  content.has_value() ? absl::StrCat(content->files) : "-",
                  manifest.package.algorithm});
  }
  if (!in.json) in.streams.out << table.Render(in.streams);
  return absl::OkStatus();
}

// Where the version was published, by its record; none when there is no record.
absl::StatusOr<std::vector<Location>> LocationsOf(Invocation& in, const Project& project,
                                                  const Component& component) {
  const std::string path =
      absl::StrCat(project.Resolve(project.config().publish), "/", RecordFileName(component));
  const auto text = base::ReadUserFile(in.world.files, path, 16 << 20);
  if (absl::IsNotFound(text.status())) return std::vector<Location>();
  if (!text.ok())
    return Wrap(text.status(), FileErrorCode(text.status(), Dt::kStorage), "read record");
  SLIPWAY_ASSIGN_OR_RETURN(PublishRecord record, ParseRecord(*text));
  return std::move(record.locations);
}

absl::Status RunComponentShow(Context& context, const ListCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(const ComponentSpec spec, ParseSpec(o.spec));
  SLIPWAY_ASSIGN_OR_RETURN(const Component component, FindPacked(in.world, *project, spec));
  const std::string path =
      absl::StrCat(project->Resolve(project->config().manifests), "/", ManifestFileName(component));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string text,
                           base::ReadUserFile(in.world.files, path, 16 << 20));
  SLIPWAY_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(text));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Location> locations,
                           LocationsOf(in, *project, component));
  in.result = ManifestJson(manifest);
  in.result.Set("manifest", project->Relative(path));
  base::Json& list = in.result.Set("locations", base::Json::MakeArray());
  for (const Location& location : locations) {
    list.Append(base::Json::MakeObject(
        {{"name", location.name}, {"type", location.type}, {"url", TextJson(location.url)}}));
  }
  if (in.json) return absl::OkStatus();
  std::ostream& out = in.streams.out;
  const auto row = [&out](absl::string_view name, absl::string_view value) {
    out << name << std::string(13 - name.size(), ' ') << base::EscapeForTerminal(value) << "\n";
  };
  row("component", component.ToString());
  if (!manifest.description.empty()) row("description", manifest.description);
  row("created", base::FormatRfc3339(manifest.created_at));
  row("package",
      absl::StrCat(manifest.package.file, " (", base::FormatSize(manifest.package.size_bytes), ", ",
                   manifest.package.algorithm, ")"));
  row("sha256", manifest.package.sha256);
  if (manifest.package.content.has_value()) {
    row("content", absl::StrCat(Count(manifest.package.content->files, "file"), ", ",
                                base::FormatSize(manifest.package.content->bytes)));
  }
  row("source", manifest.source_path);
  row("manifest", project->Relative(path));
  for (const Dependency& dependency : manifest.dependencies) {
    row("needs", absl::StrCat(dependency.type, " ", dependency.range));
  }
  for (const auto& [key, value] : manifest.labels) row("label", absl::StrCat(key, "=", value));
  for (const Location& location : locations) {
    row("published", absl::StrCat(location.name, " ", location.url));
  }
  return absl::OkStatus();
}

base::Json ReleaseJson(const Release& release) {
  base::Json json =
      base::Json::MakeObject({{"version", release.version}, {"name", TextJson(release.name)}});
  json.Set("created_at", base::FormatRfc3339(release.created_at));
  json.Set("total_size", release.total_size_bytes);
  base::Json& list = json.Set("components", base::Json::MakeArray());
  for (const ReleaseComponent& part : release.components) {
    base::Json item = ComponentJson(part.component);
    item.Set("manifest", part.manifest);
    item.Set("sha256", part.sha256);
    list.Append(std::move(item));
  }
  return json;
}

std::string ComponentsText(const Release& release) {
  std::vector<std::string> components;
  for (const ReleaseComponent& part : release.components)
    components.push_back(part.component.ToString());
  return absl::StrJoin(components, " ");
}

absl::Status RunReleaseList(Context& context, const ListCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Release> releases,
                           ProjectReleases(in.world, *project));
  base::Json& list = in.result.Set("releases", base::Json::MakeArray());
  base::cli::Table table({{"RELEASE"},
                          {"CREATED"},
                          {"SIZE", base::cli::Align::kRight},
                          {"NAME", base::cli::Align::kLeft, true},
                          {"COMPONENTS", base::cli::Align::kLeft, true}});
  int count = 0;
  for (const Release& release : releases) {
    if (count++ == o.limit) break;
    list.Append(ReleaseJson(release));
    table.AddRow({release.version, base::FormatRfc3339(release.created_at),
                  base::FormatSize(release.total_size_bytes), OrDash(release.name),
                  ComponentsText(release)});
  }
  if (!in.json) in.streams.out << table.Render(in.streams);
  return absl::OkStatus();
}

absl::Status RunReleaseShow(Context& context, const ListCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.RequireProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<Store> sources,
                           OpenSources(context.StoresOf(in, *project), ""));
  SLIPWAY_ASSIGN_OR_RETURN(const Release release,
                           FindRelease(in.world, *project, sources, o.release));
  in.result = ReleaseJson(release);
  if (in.json) return absl::OkStatus();
  std::ostream& out = in.streams.out;
  out << "release  " << base::EscapeForTerminal(release.version)
      << (release.name.empty() ? ""
                               : absl::StrCat(" (", base::EscapeForTerminal(release.name), ")"))
      << "\ncreated  " << base::FormatRfc3339(release.created_at) << "\nsize     "
      << base::FormatSize(release.total_size_bytes) << "\n\n";
  base::cli::Table table({{"COMPONENT"}, {"SHA-256", base::cli::Align::kLeft, true}, {"MANIFEST"}});
  for (const ReleaseComponent& part : release.components) {
    table.AddRow({part.component.ToString(), part.sha256, part.manifest});
  }
  out << table.Render(in.streams);
  return absl::OkStatus();
}

}  // namespace

void AddComponent(Program& program, Context& context) {
  auto o = std::make_shared<ListCommand>();
  program.AddGroup("component", "Packed components of the project");
  Command& list = program.Add("component list", "List what was packed");
  list.Example("deploy-tool component list --type model");
  list.Text("--type", "TYPE", &o->type, "Only this type").Completes(CompleteTypes(context));
  list.Int("--limit", "N", &o->limit, 1, 1'000'000, "At most so many (20)");
  list.Choice("--sort", "BY", &o->sort, {"version", "date"}, "Order");
  list.Flag("--reverse", &o->reverse, "The other way round");
  list.Run([o, &context](Invocation& in) { return RunComponentList(context, *o, in); });
  Command& show = program.Add("component show", "Show a packed component");
  show.Example("deploy-tool component show model:1.0.0");
  show.Argument("SPEC", &o->spec, "type:version; type alone: the highest")
      .Required()
      .Completes(CompleteSpecs(context));
  show.Run([o, &context](Invocation& in) { return RunComponentShow(context, *o, in); });

  Command& releases = program.Add("release list", "List the releases of the project");
  releases.Example("deploy-tool release list");
  releases.Int("--limit", "N", &o->limit, 1, 1'000'000, "At most so many (20)");
  releases.Run([o, &context](Invocation& in) { return RunReleaseList(context, *o, in); });
  Command& release = program.Add("release show", "Show a release");
  release.Example("deploy-tool release show 2024.01.20");
  release.Argument("VERSION", &o->release, "Version of the release").Required();
  release.Run([o, &context](Invocation& in) { return RunReleaseShow(context, *o, in); });
}

}  // namespace slipway::deploy::cli
