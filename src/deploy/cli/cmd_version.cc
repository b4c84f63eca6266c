// version list, switch, verify (D30, D31, D150).
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

namespace slipway::deploy::cli {
namespace {

struct VersionCommand {
  std::string type, version, spec;
  std::optional<int> limit;
  bool quick = false, deep = false, available = false;
};

std::string Marks(const VersionInfo& version) {
  std::vector<std::string> marks;
  if (version.current) marks.push_back("current");
  if (version.previous) marks.push_back("previous");
  if (version.pinned) marks.push_back("pinned");
  if (version.bad) marks.push_back("bad");
  for (const std::string& tag : version.tags) marks.push_back(absl::StrCat("tag:", tag));
  return absl::StrJoin(marks, " ");
}

// One line of the list: installed, published, or both.
struct ListedVersion {
  std::string version;
  std::optional<VersionInfo> installed;
  std::vector<std::string> stores;
};

absl::StatusOr<std::vector<ListedVersion>> InstalledOf(Context& context, const VersionCommand& o,
                                                       Invocation& in) {
  std::vector<ListedVersion> listed;
  const auto root = context.OpenRoot(in, OpenMode::kRead);
  // Without any root, or anything of the type in it, there may still be something to deploy.
  const bool none = o.available && absl::IsNotFound(root.status());
  if (none) return listed;
  SLIPWAY_RETURN_IF_ERROR(root.status());
  in.result.Set("root", (*root)->path());
  auto versions = (*root)->ListVersions(o.type);
  if (o.available && absl::IsNotFound(versions.status())) return listed;
  SLIPWAY_RETURN_IF_ERROR(versions.status());
  for (VersionInfo& version : *versions) {
    std::string name = version.component.version;
    listed.push_back({std::move(name), std::move(version), {}});
  }
  return listed;
}

// Adds what the sources have; afterwards highest first.
absl::Status AddPublished(Context& context, const VersionCommand& o, Invocation& in,
                          std::vector<ListedVersion>& listed) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.AnyProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<Store> sources,
                           OpenSources(context.StoresOf(in, *project), ""));
  std::vector<std::string> warnings;
  for (PublishedVersion& published : ListPublished(sources, o.type, warnings)) {
    auto known = std::find_if(listed.begin(), listed.end(), [&](const ListedVersion& one) {
      return one.version == published.version;
    });
    if (known == listed.end()) {
      known = listed.insert(listed.end(), {published.version, std::nullopt, {}});
    }
    known->stores = std::move(published.stores);
  }
  for (const std::string& warning : warnings) in.Warn(DtName(Dt::kStorage), warning);
  std::stable_sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) {
    return CompareVersions(a.version, b.version) > 0;
  });
  if (!listed.empty()) return absl::OkStatus();
  return Error(Dt::kNotFound,
               absl::StrCat("list ", o.type, ": nothing of it is installed or published"),
               absl::StrCat("deploy-tool publish ", o.type));
}

base::Json ListedJson(const ListedVersion& one, const std::string& type, bool available) {
  base::Json json =
      one.installed ? VersionJson(*one.installed) : ComponentJson(Component{type, one.version});
  if (!available) return json;
  json.Set("installed", one.installed.has_value());
  base::Json& stores = json.Set("available", base::Json::MakeArray());
  for (const std::string& store : one.stores) stores.Append(store);
  return json;
}

std::vector<std::string> ListedRow(const ListedVersion& one) {
  if (!one.installed) return {one.version, "not installed", "-", "-", "-", "-", "-"};
  const VersionInfo& version = *one.installed;
  return {one.version,
          Marks(version),
          TimeText(version.deployed_at),
          TimeText(version.last_active_at),
          base::FormatSize(version.bytes),
          absl::StrCat(version.files),
          OrDash(version.source)};
}

absl::Status RunList(Context& context, const VersionCommand& o, Invocation& in) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(o.type));
  in.result = base::Json::MakeObject({{"type", o.type}});
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<ListedVersion> versions, InstalledOf(context, o, in));
  if (o.available) SLIPWAY_RETURN_IF_ERROR(AddPublished(context, o, in, versions));
  if (o.limit.has_value() && versions.size() > static_cast<size_t>(*o.limit)) {
    versions.erase(versions.begin() + *o.limit, versions.end());
  }
  base::Json& list = in.result.Set("versions", base::Json::MakeArray());
  std::vector<base::cli::Column> columns = {{"VERSION", base::cli::Align::kLeft, true},
                                            {"STATE"},
                                            {"DEPLOYED"},
                                            {"LAST ACTIVE"},
                                            {"SIZE", base::cli::Align::kRight},
                                            {"FILES", base::cli::Align::kRight},
                                            {"SOURCE", base::cli::Align::kLeft, true}};
  if (o.available) columns.push_back({"PUBLISHED IN", base::cli::Align::kLeft, true});
  base::cli::Table table(std::move(columns));
  for (const ListedVersion& version : versions) {
    list.Append(ListedJson(version, o.type, o.available));
    std::vector<std::string> row = ListedRow(version);
    if (o.available) row.push_back(OrDash(absl::StrJoin(version.stores, ", ")));
    const bool current = version.installed && version.installed->current;
    table.AddRow(std::move(row), current ? base::cli::Tone::kGreen : base::cli::Tone::kPlain);
  }
  if (!in.json) in.streams.out << table.Render(in.streams);
  return absl::OkStatus();
}

absl::Status RunSwitch(Context& context, const VersionCommand& o, Invocation& in) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(o.type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(o.version, VersionScheme::kAny));
  SLIPWAY_ASSIGN_OR_RETURN(ChangeOptions change, context.MakeChange(in));
  change.deep = o.deep;
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kMutate));
  const absl::StatusOr<ChangeResult> result = root->Switch(o.type, o.version, change);
  if (!result.ok()) return FailedChange(in, result.status());
  ReportChange(in, *result, root->path());
  return absl::OkStatus();
}

// "type:version", or "type" for the current version.
absl::StatusOr<Component> InstalledSpec(DeployRoot& root, absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const ComponentSpec spec, ParseSpec(text));
  if (spec.version.has_value() && *spec.version != "latest") {
    return Component{spec.type, *spec.version};
  }
  if (spec.version.has_value()) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<VersionInfo> versions, root.ListVersions(spec.type));
    const auto release = std::find_if(versions.begin(), versions.end(), [](const VersionInfo& v) {
      return !IsPrerelease(v.component.version);
    });
    return release == versions.end() ? versions.front().component : release->component;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto current, root.CurrentVersion(spec.type));
  if (current.has_value()) return Component{spec.type, *current};
  return Error(Dt::kNotFound, absl::StrCat("find ", spec.type, ": no version of it is current"),
               absl::StrCat("deploy-tool version list ", spec.type));
}

absl::Status RunVerify(Context& context, const VersionCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kRead));
  SLIPWAY_ASSIGN_OR_RETURN(const Component component, InstalledSpec(*root, o.spec));
  const auto progress = context.MakeProgress(in);
  progress->Start({"verify", component.ToString(), ""});
  VerifyOptions options;
  options.deep = !o.quick;
  options.progress = [progress](uint64_t bytes, uint64_t files) { progress->Update(bytes, files); };
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Drift> drift, root->VerifyVersion(component, options));
  progress->Finish();
  in.result =
      base::Json::MakeObject({{"component", ComponentJson(component)}, {"deep", options.deep}});
  in.result.Set("intact", drift.empty());
  base::Json& list = in.result.Set("drift", base::Json::MakeArray());
  for (const Drift& item : drift) list.Append(DriftJson(item));
  if (drift.empty()) {
    if (!in.json) in.streams.out << component.ToString() << " is intact\n";
    return absl::OkStatus();
  }
  if (!in.json) {
    for (const Drift& item : drift) {
      in.streams.out << *DriftJson(item).Find("kind")->AsString() << "  "
                     << base::EscapeForTerminal(item.path)
                     << (item.detail.empty() ? "" : absl::StrCat("  (", item.detail, ")")) << "\n";
    }
  }
  return Error(
      Dt::kProblems,
      absl::StrCat("verify ", component.ToString(), ": ", Count(drift.size(), "file"),
                   " not as installed"),
      absl::StrCat("deploy-tool deploy ", component.ToString(), " --force installs it again"));
}

}  // namespace

void AddVersion(Program& program, Context& context) {
  auto o = std::make_shared<VersionCommand>();
  program.AddGroup("version", "Installed versions");
  Command& list = program.Add("version list", "List the installed versions of a component");
  list.Example("deploy-tool version list model");
  list.Argument("TYPE", &o->type, "Component type").Required().Completes(CompleteTypes(context));
  list.Example("deploy-tool version list model --available", "with what could be deployed");
  list.Flag("--available", &o->available, "Also the versions that the sources have");
  list.Int("--limit", "N", &o->limit, 1, 1'000'000, "At most so many");
  list.Run([o, &context](Invocation& in) { return RunList(context, *o, in); });

  Command& change = program.Add("version switch", "Make an installed version current");
  change.Example("deploy-tool version switch model 1.0.0");
  change.Description(
      "One rename of a link: readers see the old or the new version, nothing between.");
  change.Argument("TYPE", &o->type, "Component type").Required().Completes(CompleteTypes(context));
  change.Argument("VERSION", &o->version, "Installed version").Required();
  change.Flag("--deep", &o->deep, "Compare the contents of its files with the index first");
  change.Run([o, &context](Invocation& in) { return RunSwitch(context, *o, in); });

  Command& verify =
      program.Add("version verify", "Compare an installed version with its file index");
  verify.Example("deploy-tool version verify model:1.0.0");
  verify.Description("Leaves with 15 and names each file that differs.");
  verify.Argument("SPEC", &o->spec, "type:version, or type for the current one")
      .Required()
      .Completes(CompleteSpecs(context));
  verify.Flag("--quick", &o->quick, "Sizes, modes and times only, no contents");
  verify.Flag("--deep", &o->deep, "Contents too (the default)");
  verify.Run([o, &context](Invocation& in) { return RunVerify(context, *o, in); });
}

}  // namespace slipway::deploy::cli
