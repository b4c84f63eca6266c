// A simulated machine with a deploy root and published packages, for the tests of this folder.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/sim/world.h"
#include "deploy/release/deploy_root.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {

inline constexpr char kTestRoot[] = "/srv/root";

using Tree = std::map<std::string, std::string>;  // path -> content

// A package that was really packed, and its objects as they lie in a repository.
struct TestPackage {
  Manifest manifest;
  std::string manifest_text;
  Tree tree;
  std::map<std::string, std::string> objects;  // key -> bytes
};

// Packs `tree`, its files with `mode`, as `component`; the same input gives the same package.
TestPackage MakePackage(const Component& component, const Tree& tree,
                        const std::vector<Dependency>& dependencies = {}, uint32_t mode = 0644);

// Packages of model, config and runtime in versions 1.0.0, 1.1.0 and 2.0.0, made once.
const TestPackage& PackageOf(const std::string& type, const std::string& version);

// A memory repository that holds `packages`.
std::unique_ptr<Repository> RepositoryWith(const std::vector<const TestPackage*>& packages);

// One machine. The repository is not on its disk, so no fault hits it.
class ReleaseSim {
 public:
  explicit ReleaseSim(uint64_t seed = 1);

  // This machine gets a copy of that disk.
  void Mount(const base::sim::Files& disk);
  absl::StatusOr<std::unique_ptr<DeployRoot>> Open(OpenMode mode = OpenMode::kCreate);
  DeployComponent Input(const TestPackage& package);
  // Opens and deploys; `versions` are "type:version".
  absl::StatusOr<ChangeResult> Deploy(const std::vector<std::string>& versions,
                                      const DeployOptions& options = {});
  absl::StatusOr<ChangeResult> Switch(const std::string& type, const std::string& version);
  absl::StatusOr<ChangeResult> Rollback(const std::string& type, bool forward = false);

  // What lies in the root and is not volatile: without locks, cache, bad packages, directories of
  // types with nothing in them, and generations above the active one.
  std::string Snapshot() const { return SnapshotOf(world.files); }
  static std::string SnapshotOf(const base::sim::Files& files);
  // Why what applications see of `type` is wrong: links missing or dangling, files missing or
  // different from what was packed. Empty: all is well. Uses nothing of the code under test.
  static std::string Complaint(const base::sim::Files& files, const std::string& type);

  base::sim::World world;
  std::unique_ptr<Repository> repository;
  std::vector<PackageSource> sources;
};

}  // namespace slipway::deploy
