#include "deploy/release/deploy_root.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "deploy/model/errors.h"
#include "deploy/release/generations.h"
#include "deploy/release/history.h"
#include "deploy/release/installed.h"
#include "deploy/release/journal.h"
#include "deploy/release/layout.h"
#include "deploy/release/operations.h"
#include "deploy/release/recover.h"
#include "deploy/release/state.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {

class DeployRoot::Impl {
 public:
  explicit Impl(Root opened) : root(std::move(opened)) {}
  Root root;
  Recovery recovery;
};

namespace {

absl::StatusOr<Recovery> RecoverAndSweep(const Root& root) {
  SLIPWAY_ASSIGN_OR_RETURN(Recovery recovery, RecoverCrashed(root, {}));
  const auto swept = SweepStaging(root);
  if (!swept.ok()) return RootError(swept.status(), "sweep the staging directory");
  recovery.leftovers_removed = *swept;
  return recovery;
}

VersionInfo InfoOf(const std::string& type, const std::string& version, const VersionState& state,
                   const TypeState& type_state) {
  VersionInfo info;
  info.component = {type, version};
  info.current = version == type_state.current;
  info.previous = version == type_state.previous && !info.current;
  info.pinned = state.pinned;
  info.bad = state.bad;
  info.tags = state.tags;
  info.deployed_at = state.deployed_at;
  info.last_active_at = state.last_active_at;
  info.bytes = state.bytes;
  info.files = state.files;
  info.sha256 = state.sha256;
  info.source = state.source;
  return info;
}

TypeStatus StatusOfType(const std::string& type, const TypeState& state) {
  TypeStatus status;
  status.type = type;
  status.current = state.current;
  status.previous = state.previous;
  status.versions = state.versions.size();
  for (const auto& [name, version] : state.versions) {
    status.bytes += version.bytes;
    if (name != state.current) continue;
    status.active_since = version.last_active_at;
    status.current_bad = version.bad;
  }
  return status;
}

// A result, or its error with the id and the words of this layer.
template <class T>
absl::StatusOr<T> Named(absl::StatusOr<T> result, absl::string_view context) {
  if (!result.ok()) return RootError(result.status(), context);
  return result;
}

}  // namespace

const char* ActionName(Action action) {
  constexpr const char* kNames[] = {"installed", "already_installed", "switched",
                                    "already_current"};
  return kNames[static_cast<size_t>(action)];
}

const char* LinkStateName(LinkState state) {
  constexpr const char* kNames[] = {"ok",           "missing",    "dangling",
                                    "wrong-target", "not-a-link", "foreign"};
  return kNames[static_cast<size_t>(state)];
}

DeployRoot::DeployRoot(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DeployRoot::~DeployRoot() = default;

base::Owned<DeployRoot> DeployRoot::Open(base::World& world, absl::string_view path,
                                         const RootOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(Root root, OpenRootDir(world, path, options));
  auto impl = std::make_unique<Impl>(std::move(root));
  if (options.mode != OpenMode::kRead) {
    SLIPWAY_ASSIGN_OR_RETURN(impl->recovery, RecoverAndSweep(impl->root));
  }
  return std::unique_ptr<DeployRoot>(new DeployRoot(std::move(impl)));
}

const std::string& DeployRoot::path() const { return impl_->root.path; }
const std::string& DeployRoot::root_id() const { return impl_->root.root_id; }
const Recovery& DeployRoot::recovery() const { return impl_->recovery; }
const std::vector<std::string>& DeployRoot::warnings() const { return impl_->root.warnings; }

absl::StatusOr<ChangeResult> DeployRoot::Deploy(std::vector<DeployComponent> components,
                                                const DeployOptions& options) {
  return RunDeploy(impl_->root, std::move(components), options);
}

absl::StatusOr<ChangeResult> DeployRoot::Switch(absl::string_view type, absl::string_view version,
                                                const ChangeOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(version, VersionScheme::kAny));
  return RunSwitch(impl_->root, {std::string(type), std::string(version)}, options);
}

absl::StatusOr<ChangeResult> DeployRoot::Rollback(absl::string_view type,
                                                  const RollbackOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(type));
  return RunRollback(impl_->root, std::string(type), options);
}

absl::StatusOr<ChangeResult> DeployRoot::RollbackGeneration(std::optional<uint64_t> generation,
                                                            const RollbackOptions& options) {
  return RunRollbackGeneration(impl_->root, generation, options);
}

absl::StatusOr<Recovery> DeployRoot::Recover() { return RecoverAndSweep(impl_->root); }

absl::StatusOr<std::vector<std::string>> DeployRoot::Types() {
  std::vector<std::string> types;
  SLIPWAY_ASSIGN_OR_RETURN(const auto all, Named(InstalledTypes(*impl_->root.dir), "list types"));
  for (const std::string& type : all) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto versions,
                             Named(InstalledVersions(*impl_->root.dir, type), "list versions"));
    if (!versions.empty()) types.push_back(type);
  }
  return types;
}

absl::StatusOr<std::vector<VersionInfo>> DeployRoot::ListVersions(absl::string_view type) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(type));
  SLIPWAY_ASSIGN_OR_RETURN(const TypeState state,
                           Named(ReadState(*impl_->root.dir, type), "list versions"));
  if (state.versions.empty()) {
    return Error(Dt::kNotFound, absl::StrCat("list ", type, ": nothing of it is installed"),
                 "see deploy-tool status");
  }
  std::vector<VersionInfo> infos;
  for (const auto& [version, known] : state.versions) {
    infos.push_back(InfoOf(std::string(type), version, known, state));
  }
  std::stable_sort(infos.begin(), infos.end(), [](const VersionInfo& a, const VersionInfo& b) {
    return CompareVersions(a.component.version, b.component.version) > 0;
  });
  return infos;
}

absl::StatusOr<std::optional<std::string>> DeployRoot::CurrentVersion(absl::string_view type) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(type));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string version,
                           Named(ReadCurrent(*impl_->root.dir, type), "read the current version"));
  return version.empty() ? std::optional<std::string>() : std::optional<std::string>(version);
}

absl::StatusOr<Manifest> DeployRoot::InstalledManifest(const Component& component) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(component.type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(component.version, VersionScheme::kAny));
  const auto text = base::ReadFile(*impl_->root.dir, ManifestPath(component), kSmallFileBytesMax);
  if (absl::IsNotFound(text.status())) {
    SLIPWAY_ASSIGN_OR_RETURN(const TypeState state,
                             Named(ReadState(*impl_->root.dir, component.type), "list versions"));
    return NotInstalled(component, state);
  }
  if (!text.ok()) return RootError(text.status(), "read the manifest");
  return ParseManifest(*text);
}

absl::StatusOr<std::vector<Generation>> DeployRoot::Generations() {
  return Named(ReadGenerations(*impl_->root.dir), "list generations");
}

absl::StatusOr<std::vector<HistoryEntry>> DeployRoot::History(absl::string_view type,
                                                              size_t limit) {
  SLIPWAY_ASSIGN_OR_RETURN(auto entries, Named(ReadHistory(*impl_->root.dir), "read the history"));
  std::reverse(entries.begin(), entries.end());
  if (!type.empty()) {
    std::erase_if(entries, [&](const HistoryEntry& entry) {
      return std::none_of(entry.changes.begin(), entry.changes.end(),
                          [&](const auto& change) { return change.type == type; });
    });
  }
  if (entries.size() > limit) entries.resize(limit);
  return entries;
}

absl::StatusOr<RootStatus> DeployRoot::Status() {
  const Root& root = impl_->root;
  RootStatus status;
  status.path = root.path;
  status.root_id = root.root_id;
  SLIPWAY_ASSIGN_OR_RETURN(const auto types, Types());
  for (const std::string& type : types) {
    SLIPWAY_ASSIGN_OR_RETURN(const TypeState state,
                             Named(ReadState(*root.dir, type), "read the state"));
    status.types.push_back(StatusOfType(type, state));
  }
  SLIPWAY_ASSIGN_OR_RETURN(status.generation,
                           Named(ReadActiveGeneration(*root.dir), "read the generation"));
  SLIPWAY_ASSIGN_OR_RETURN(const auto generations, Generations());
  status.generations = generations.size();
  SLIPWAY_ASSIGN_OR_RETURN(const base::Space space,
                           Named(root.dir->FreeSpace(), "look at the free space"));
  status.free_bytes = space.free_bytes;
  status.total_bytes = space.total_bytes;
  SLIPWAY_ASSIGN_OR_RETURN(const auto history, History("", 1));
  if (!history.empty()) status.last_change = history.front();
  SLIPWAY_ASSIGN_OR_RETURN(status.unfinished, Named(ListJournals(*root.dir), "list journals"));
  SLIPWAY_ASSIGN_OR_RETURN(const auto links, Named(ReadLinks(root, {}), "read the links"));
  status.links_bad =
      static_cast<uint64_t>(std::count_if(links.begin(), links.end(), [](const LinkInfo& info) {
        return info.state != LinkState::kOk;
      }));
  return status;
}

absl::StatusOr<std::vector<Drift>> DeployRoot::VerifyVersion(const Component& component,
                                                             const VerifyOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(component.type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(component.version, VersionScheme::kAny));
  SLIPWAY_ASSIGN_OR_RETURN(const TypeState state,
                           Named(ReadState(*impl_->root.dir, component.type), "read the state"));
  if (state.versions.count(component.version) == 0) return NotInstalled(component, state);
  return CompareInstalled(impl_->root, component, options);
}

absl::StatusOr<std::vector<LinkInfo>> DeployRoot::ListLinks(const LinkOptions& options) {
  return Named(ReadLinks(impl_->root, options), "read the links");
}

absl::StatusOr<std::vector<LinkInfo>> DeployRoot::VerifyLinks(const LinkOptions& options,
                                                              bool deep) {
  SLIPWAY_ASSIGN_OR_RETURN(auto links, ListLinks(options));
  for (LinkInfo& link : links) {
    if (!deep || link.kind != LinkInfo::Kind::kCurrent || link.state != LinkState::kOk) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const auto drift,
                             CompareInstalled(impl_->root, {link.type, link.version}, {}));
    if (!drift.empty()) link.detail = DriftSummary(drift);
  }
  std::erase_if(links, [](const LinkInfo& link) {
    return link.state == LinkState::kOk && link.detail.empty();
  });
  return links;
}

absl::StatusOr<RepairResult> DeployRoot::RepairLinks(const ChangeOptions& options) {
  return RunRepair(impl_->root, options);
}

}  // namespace slipway::deploy
