// The stores of a project as repositories, and what can be found in them and in the project.
// Thread-compatible.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "deploy/cli/config.h"
#include "deploy/cli/project.h"
#include "deploy/model/manifest.h"
#include "deploy/release/options.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy::cli {

struct Store {
  std::string name;
  int64_t priority = 100;
  std::unique_ptr<Repository> repository;  // null: `status` says why
  absl::Status status;
};

// What opens a store of a type that is not this folder's own. Borrowed but for the callback.
struct StoreRequest {
  base::World& world;
  const StoreConfig& config;  // its paths resolved
  base::CancelToken cancel;
  // The publish record of a version in the project; absent: there is none. DT007: it is damaged.
  std::function<absl::StatusOr<std::optional<PublishRecord>>(const Component&)> record;
};
using StoreOpener = std::function<base::Owned<Repository>(const StoreRequest&)>;
using StoreOpeners = std::map<std::string, StoreOpener>;  // by type: "cas"

// What is asked of OpenTargets and OpenSources.
struct OpenStores {
  base::World& world;
  const Project& project;
  const StoreOpeners& openers;
  base::CancelToken cancel;
};

// Where to publish: those of publish.targets that `names` has, all for no names; by configuration.
// DT009: none is configured; DT004: one is unknown.
// For a dry run a store that is not there yet is an empty one in memory.
absl::StatusOr<std::vector<Store>> OpenTargets(const OpenStores& open,
                                               absl::Span<const std::string> names, bool dry_run);

// Where to deploy from: deploy.sources, else publish.targets; lower priority first. One that cannot
// be opened is kept with its status: another may do. `only`: the source of that name.
absl::StatusOr<std::vector<Store>> OpenSources(const OpenStores& open, absl::string_view only);

// The manifests of the project, by type, then highest version first. DT007: one is damaged.
absl::StatusOr<std::vector<Manifest>> PackedManifests(base::World& world, const Project& project);
// The packed component that `spec` means; without a version, and for "latest", the highest that is
// no prerelease. DT010 with the nearest.
absl::StatusOr<Component> FindPacked(base::World& world, const Project& project,
                                     const ComponentSpec& spec);

// A version that is in a store.
struct PublishedVersion {
  std::string version;
  std::vector<std::string> stores;  // names, in the order of the sources
};
// The published versions of `type`, highest first. Of a store that cannot be listed, `warnings`
// says why.
std::vector<PublishedVersion> ListPublished(std::vector<Store>& sources, absl::string_view type,
                                            std::vector<std::string>& warnings);

struct FindOptions {
  bool prerelease = false;  // "latest" may be a prerelease
  // Manifest of an installed version, for when no source answers.
  std::function<std::optional<Manifest>(const Component&)> installed;
};
// What to deploy for type:version or type:latest: its manifest as published and the sources that
// have the same package. DT010: no source has it; DT004: and one could not be asked.
absl::StatusOr<DeployComponent> FindPublished(std::vector<Store>& sources,
                                              const ComponentSpec& spec,
                                              const FindOptions& options);

// The release, from the project or a source. DT011.
absl::StatusOr<Release> FindRelease(base::World& world, const Project& project,
                                    std::vector<Store>& sources, absl::string_view version);
absl::StatusOr<std::vector<Release>> ProjectReleases(base::World& world, const Project& project);

}  // namespace slipway::deploy::cli
