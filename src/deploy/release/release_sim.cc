#include "deploy/release/release_sim.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "deploy/model/errors.h"
#include "deploy/pack/packer.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

const std::vector<std::pair<std::string, std::string>>& AllPackages() {
  static const auto& all = *new std::vector<std::pair<std::string, std::string>>{
      {"model", "1.0.0"},  {"model", "1.1.0"},   {"model", "2.0.0"},  {"config", "1.0.0"},
      {"config", "1.1.0"}, {"runtime", "1.0.0"}, {"runtime", "1.1.0"}};
  return all;
}

Tree TreeOf(const std::string& type, const std::string& version) {
  return {{"name.txt", absl::StrCat(type, " ", version, "\n")},
          {"data/" + version + ".bin", std::string(700, version[0])},
          {"data/deep/x", version}};
}

std::unique_ptr<base::Dir> Root(base::sim::World& world, const std::string& path) {
  auto dir = world.files.MakeRoot(path);
  SLIPWAY_CHECK(dir.ok());
  return *std::move(dir);
}

std::string PathIn(absl::string_view line) {
  return std::string(line.substr(std::min(line.size(), line.find("srv/"))));
}

// components/<type> and its like: empty, they mean nothing.
bool IsTypeDir(absl::string_view line) {
  if (!absl::StartsWith(line, "dir ")) return false;
  for (const char* parent : {"/components/", "/.deploy-tool/manifests/", "/.deploy-tool/index/"}) {
    const size_t at = line.find(parent);
    if (at == absl::string_view::npos) continue;
    return !absl::StrContains(line.substr(at + strlen(parent)), "/");
  }
  return false;
}

// n in "…generations/<n>[/…]"; 0: none.
uint64_t NumberIn(absl::string_view text) {
  const size_t at = text.find("generations/");
  if (at == absl::string_view::npos) return 0;
  uint64_t number = 0;
  const std::vector<absl::string_view> parts = absl::StrSplit(text.substr(at), '/');
  return absl::SimpleAtoi(parts[1], &number) ? number : 0;
}

// Records above the active generation mean nothing.
bool IsAboveActive(absl::string_view line, uint64_t active) {
  return absl::StrContains(line, "srv/root/generations/") && NumberIn(line) > active;
}

}  // namespace

TestPackage MakePackage(const Component& component, const Tree& tree,
                        const std::vector<Dependency>& dependencies, uint32_t mode) {
  base::sim::World world(7);
  const auto source = Root(world, "/source");
  const auto dist = Root(world, "/dist");
  const auto manifests = Root(world, "/manifests");
  for (const auto& [path, content] : tree) {
    const auto dir = base::SplitPath(path).first;
    if (!dir.empty()) SLIPWAY_CHECK(base::MakeDirs(*source, dir).ok());
    base::OpenOptions options;
    options.write = true;
    options.create = true;
    options.mode = mode;
    auto file = source->Open(path, options);
    SLIPWAY_CHECK(file.ok());
    SLIPWAY_CHECK((*file)->WriteAt(0, base::AsBytes(content)).ok());
  }
  PackOptions options;
  options.component = component;
  options.created_at = world.clock.Wall();
  options.source_path = "./source";
  options.dependencies = dependencies;
  options.tool_version = "test";
  const auto packed = Pack(world.world(), *source, *dist, *manifests, options, {});
  SLIPWAY_CHECK(packed.ok());
  TestPackage package;
  package.manifest = packed->manifest;
  package.tree = tree;
  package.manifest_text = *world.files.Read("/manifests/" + ManifestFileName(component));
  package.objects[ObjectKey(component, ManifestFileName(component))] = package.manifest_text;
  for (const std::string& file : {packed->manifest.package.file, IndexFileName(component)}) {
    package.objects[ObjectKey(component, file)] = *world.files.Read("/dist/" + file);
  }
  return package;
}

const TestPackage& PackageOf(const std::string& type, const std::string& version) {
  static const auto& packages = *[] {
    auto* made = new std::map<std::string, TestPackage>();
    for (const auto& [t, v] : AllPackages()) {
      // The runtime comes after the model, which comes after the configuration.
      std::vector<Dependency> dependencies;
      if (t == "model") dependencies.push_back({"config", "*"});
      if (t == "runtime") dependencies.push_back({"model", "*"});
      made->emplace(absl::StrCat(t, ":", v), MakePackage({t, v}, TreeOf(t, v), dependencies));
    }
    return made;
  }();
  return packages.at(type + ":" + version);
}

std::unique_ptr<Repository> RepositoryWith(const std::vector<const TestPackage*>& packages) {
  static base::sim::Clock& clock = *new base::sim::Clock();
  auto repository = MakeMemoryRepository("memory", clock);
  for (const TestPackage* package : packages) {
    for (const auto& [key, bytes] : package->objects) {
      SLIPWAY_CHECK(PutText(*repository, key, bytes, If::kAny).ok());
    }
  }
  return repository;
}

ReleaseSim::ReleaseSim(uint64_t seed) : world(seed) {
  // Shared, since nothing changes it and fault loops make thousands of machines.
  static Repository& everything = *[] {
    std::vector<const TestPackage*> packages;
    for (const auto& [type, version] : AllPackages()) packages.push_back(&PackageOf(type, version));
    return RepositoryWith(packages).release();
  }();
  sources = {{"memory", &everything}};
}

void ReleaseSim::Mount(const base::sim::Files& disk) {
  world.files = disk;
  world.files.SetClock(&world.clock);
}

absl::StatusOr<std::unique_ptr<DeployRoot>> ReleaseSim::Open(OpenMode mode) {
  RootOptions options;
  options.mode = mode;
  options.command = "test";
  return DeployRoot::Open(world.world(), kTestRoot, options);
}

DeployComponent ReleaseSim::Input(const TestPackage& package) {
  DeployComponent input;
  input.manifest = package.manifest;
  input.manifest_text = package.manifest_text;
  input.sources = sources;
  return input;
}

absl::StatusOr<ChangeResult> ReleaseSim::Deploy(const std::vector<std::string>& versions,
                                                const DeployOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, Open());
  std::vector<DeployComponent> inputs;
  for (const std::string& text : versions) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, ':');
    inputs.push_back(Input(PackageOf(parts.first, parts.second)));
  }
  return root->Deploy(std::move(inputs), options);
}

absl::StatusOr<ChangeResult> ReleaseSim::Switch(const std::string& type,
                                                const std::string& version) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, Open());
  return root->Switch(type, version, {});
}

absl::StatusOr<ChangeResult> ReleaseSim::Rollback(const std::string& type, bool forward) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, Open());
  RollbackOptions options;
  options.forward = forward;
  return root->Rollback(type, options);
}

std::string ReleaseSim::SnapshotOf(const base::sim::Files& files) {
  static constexpr const char* kVolatile[] = {".deploy-tool/locks/", ".deploy-tool/lock ",
                                              ".deploy-tool/cache/", ".deploy-tool/bad/"};
  std::vector<std::string> lines;
  const auto active_link = files.ReadLink(absl::StrCat(kTestRoot, "/active"));
  const uint64_t active = active_link.ok() ? NumberIn(*active_link) : 0;
  const std::string prefix = absl::StrCat(absl::StripPrefix(kTestRoot, "/"), "/");
  const std::string tree = files.Tree();
  for (absl::string_view line : absl::StrSplit(tree, '\n', absl::SkipEmpty())) {
    const size_t at = line.find(prefix);
    if (at == absl::string_view::npos) continue;
    const absl::string_view path = line.substr(at + prefix.size());
    bool skip = false;
    for (const absl::string_view name : kVolatile) {
      skip = skip || absl::StartsWith(absl::StrCat(path, " "), name);
    }
    if (!skip) lines.emplace_back(line);
  }
  // From the end, so that what is in a directory comes before it.
  std::string snapshot, above;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const bool empty = above.find(absl::StrCat(PathIn(*line), "/")) == std::string::npos;
    if (IsTypeDir(*line) && empty) continue;
    if (IsAboveActive(*line, active)) continue;
    above = absl::StrCat(*line, "\n");
    snapshot.insert(0, above);
  }
  return snapshot;
}

std::string ReleaseSim::Complaint(const base::sim::Files& files, const std::string& type) {
  const std::string root = kTestRoot;
  const auto version = files.ReadLink(absl::StrCat(root, "/components/", type, "/current"));
  if (!version.ok()) return absl::StrCat("current of ", type, ": ", version.status().message());
  const auto link = files.ReadLink(absl::StrCat(root, "/links/", type));
  if (!link.ok()) return absl::StrCat("link of ", type, ": ", link.status().message());
  if (*link != absl::StrCat("../components/", type, "/current")) return "link text " + *link;
  const std::string dir = absl::StrCat(root, "/components/", type, "/", *version);
  for (const auto& [path, content] : PackageOf(type, *version).tree) {
    const auto read = files.Read(absl::StrCat(dir, "/", path));
    if (!read.ok()) return absl::StrCat(dir, "/", path, ": ", read.status().message());
    if (*read != content) return absl::StrCat(dir, "/", path, " has other content");
  }
  const auto active = files.ReadLink(root + "/active");
  if (!active.ok()) return absl::StrCat("active: ", active.status().message());
  const auto in_set = files.ReadLink(absl::StrCat(root, "/", *active, "/", type));
  if (!in_set.ok()) return absl::StrCat(*active, "/", type, ": ", in_set.status().message());
  return "";
}

}  // namespace slipway::deploy
