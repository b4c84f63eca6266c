// deploy (D20-D29, D103).
#include <memory>

#include "absl/strings/str_cat.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/cli/stores.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

struct DeployCommand {
  std::vector<std::string> specs, components;
  std::optional<std::string> release;
  std::string target, source;
  bool verify = true, rollback = true;
  bool deep = false, force = false, no_switch = false, adopt = false, paranoid = false, pre = false;
};

absl::StatusOr<std::vector<ComponentSpec>> SpecsOf(const DeployCommand& o) {
  std::vector<std::string> texts = o.specs;
  texts.insert(texts.end(), o.components.begin(), o.components.end());
  if (texts.empty() == !o.release.has_value()) {
    return Error(Dt::kMissing,
                 texts.empty() ? "deploy: neither a component nor a release is named"
                               : "deploy: components and --release exclude each other",
                 "deploy-tool deploy model:1.0.0, or deploy-tool deploy --release VERSION");
  }
  std::vector<ComponentSpec> specs;
  for (const std::string& text : texts) {
    SLIPWAY_ASSIGN_OR_RETURN(ComponentSpec spec, ParseSpec(text));
    specs.push_back(std::move(spec));
  }
  return specs;
}

// "type" alone means what is current.
absl::Status FillCurrent(DeployRoot* root, ComponentSpec& spec) {
  if (spec.version.has_value()) return absl::OkStatus();
  if (root != nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(spec.version, root->CurrentVersion(spec.type));
  }
  if (spec.version.has_value()) return absl::OkStatus();
  return Error(Dt::kNotFound, absl::StrCat("deploy ", spec.type, ": no version of it is current"),
               absl::StrCat("deploy-tool deploy ", spec.type, ":latest"));
}

// `root` is null where a dry run finds none.
absl::StatusOr<std::vector<DeployComponent>> Find(Invocation& in, const Project& project,
                                                  DeployRoot* root, const DeployCommand& o,
                                                  std::vector<Store>& sources) {
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<ComponentSpec> specs, SpecsOf(o));
  Release release;
  if (o.release.has_value()) {
    SLIPWAY_ASSIGN_OR_RETURN(release, FindRelease(in.world, project, sources, *o.release));
    for (const ReleaseComponent& part : release.components) {
      specs.push_back({part.component.type, part.component.version});
    }
  }
  FindOptions options;
  options.prerelease = o.pre;
  options.installed = [root](const Component& component) -> std::optional<Manifest> {
    if (root == nullptr) return std::nullopt;
    absl::StatusOr<Manifest> manifest = root->InstalledManifest(component);
    return manifest.ok() ? std::optional<Manifest>(*std::move(manifest)) : std::nullopt;
  };
  std::vector<DeployComponent> components;
  for (size_t i = 0; i < specs.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(FillCurrent(root, specs[i]));
    SLIPWAY_ASSIGN_OR_RETURN(DeployComponent component, FindPublished(sources, specs[i], options));
    if (o.release.has_value() &&
        component.manifest.package.sha256 != release.components[i].sha256) {
      return Error(Dt::kDependency,
                   absl::StrCat("deploy release ", release.version, ": the published ",
                                component.manifest.component.ToString(),
                                " is not the package that the release names"),
                   "publish the release again, or deploy its components one by one");
    }
    const ComponentConfig* config = project.FindComponent(specs[i].type);
    component.allow_absolute_symlinks = config != nullptr && config->allow_absolute_symlinks;
    components.push_back(std::move(component));
  }
  return components;
}

// What would be done to a root that does not exist: everything.
ChangeResult PlanForNewRoot(const std::string& path,
                            const std::vector<DeployComponent>& components) {
  ChangeResult plan;
  plan.dry_run = true;
  plan.steps.push_back({"root", path, 0});
  for (const DeployComponent& component : components) {
    ComponentResult result;
    result.component = component.manifest.component;
    result.action = Action::kInstalled;
    result.source_reason = component.source_reason;
    const std::string name = result.component.ToString();
    const std::string source =
        component.sources.empty() ? "" : absl::StrCat(" from ", component.sources.front().name);
    plan.steps.push_back({"fetch", name + source, component.manifest.package.size_bytes});
    plan.steps.push_back({"switch", name, 0});
    plan.components.push_back(std::move(result));
  }
  return plan;
}

absl::Status RunDeploy(Context& context, const DeployCommand& o, Invocation& in) {
  SLIPWAY_RETURN_IF_ERROR(SpecsOf(o).status());
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.AnyProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<Store> sources,
                           OpenSources(context.StoresOf(in, *project), o.source));
  SLIPWAY_ASSIGN_OR_RETURN(const ChangeOptions change, context.MakeChange(in));
  DeployOptions options;
  static_cast<ChangeOptions&>(options) = change;
  options.links.adopt = o.adopt;
  options.rollback = o.rollback;
  options.deep = o.deep;
  options.force = o.force;
  options.verify = o.verify;
  options.switch_links = !o.no_switch;
  options.paranoid = o.paranoid;
  options.release = o.release.value_or("");
  options.durability = project->config().durability;
  // What is asked for is found before a root is made or a lock is taken.
  auto reader = context.OpenRoot(in, OpenMode::kRead, o.target);
  if (!reader.ok() && !absl::IsNotFound(reader.status())) return reader.status();
  DeployRoot* const existing = reader.ok() ? reader->get() : nullptr;
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<DeployComponent> components,
                           Find(in, *project, existing, o, sources));
  if (context.options().dry_run && existing == nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string path, context.RootPath(in, o.target));
    ReportChange(in, PlanForNewRoot(path, components), path);
    return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kCreate, o.target));
  const absl::StatusOr<ChangeResult> result = root->Deploy(std::move(components), options);
  if (!result.ok()) return FailedChange(in, result.status());
  ReportChange(in, *result, root->path());
  return absl::OkStatus();
}

}  // namespace

void AddDeploy(Program& program, Context& context) {
  auto o = std::make_shared<DeployCommand>();
  Command& deploy = program.Add("deploy", "Install components and switch to them");
  deploy.Example("deploy-tool deploy model:1.0.0");
  deploy.Example("deploy-tool deploy model:latest config:2.1.0 --dry-run");
  deploy.Example("deploy-tool deploy --release 2024.01.20");
  deploy.Description(
      "All of them or none: links move when everything is installed and verified. What is "
      "installed "
      "and intact is not fetched again.");
  deploy.Arguments("SPEC", &o->specs, "type:version, type:latest, or type for the current version")
      .Completes(CompleteSpecs(context));
  deploy.List("--component,-c", "SPEC", &o->components, "The same as SPEC");
  deploy.Text("--release", "VERSION", &o->release, "All components of a release");
  deploy.Text("--target", "PATH_OR_NAME", &o->target, "Another deploy root (deploy.targets)");
  deploy.Text("--source", "NAME", &o->source, "Only from this source");
  deploy.Switch("--verify", &o->verify, "Compare what was extracted with the published file index");
  deploy.Switch("--rollback", &o->rollback, "Undo everything after a failure");
  deploy.Flag("--deep", &o->deep, "Compare contents of installed versions with their index first");
  deploy.Flag("--force", &o->force, "Install again, also over other content");
  deploy.Flag("--no-switch", &o->no_switch, "Install only");
  deploy.Flag("--adopt", &o->adopt, "Move files that lie at a link's path to PATH.bak-TIME");
  deploy.Flag("--paranoid", &o->paranoid, "Digest of a cached package even if it was verified");
  deploy.Flag("--pre", &o->pre, "latest may be a prerelease");
  deploy.Run([o, &context](Invocation& in) { return RunDeploy(context, *o, in); });
}

}  // namespace slipway::deploy::cli
