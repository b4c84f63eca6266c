#include "deploy/cli/stores.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/config/nearest.h"
#include "base/files.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/publisher.h"

namespace slipway::deploy::cli {
namespace {

constexpr uint64_t kManifestBytesMax = 16 << 20;
constexpr char kManifestSuffix[] = ".manifest.json";
constexpr char kReleaseSuffix[] = ".release.json";
constexpr size_t kVersionsMax = 100'000;

std::string StorePath(const Project& project, const StoreConfig& config) {
  const std::string path = project.Resolve(config.path);
  return config.prefix.empty() ? path : absl::StrCat(path, "/", config.prefix);
}

enum class Missing : uint8_t { kCreate, kError, kEmpty };

// The project's publish record of a version; the project outlives what asks for it.
absl::StatusOr<std::optional<PublishRecord>> ReadRecord(base::World& world, const Project& project,
                                                        const Component& component) {
  const std::string path =
      absl::StrCat(project.Resolve(project.config().publish), "/", RecordFileName(component));
  const auto text = base::ReadUserFile(world.files, path, kManifestBytesMax);
  if (absl::IsNotFound(text.status())) return std::optional<PublishRecord>();
  if (!text.ok()) {
    return Wrap(text.status(), FileErrorCode(text.status(), Dt::kStorage), "read publish record");
  }
  const absl::StatusOr<PublishRecord> record = ParseRecord(*text);
  if (!record.ok()) {
    return Wrap(record.status(), Dt::kChecksum, absl::StrCat("read ", path),
                "restore the file, or publish the version again");
  }
  return std::optional<PublishRecord>(*record);
}

base::Owned<Repository> OpenForeign(const OpenStores& open, const StoreConfig& config) {
  const auto opener = open.openers.find(config.type);
  if (opener == open.openers.end()) {
    return Error(Dt::kStorage, absl::StrCat("this program knows no stores of type ", config.type),
                 "use a deploy-tool that was built with them");
  }
  StoreConfig resolved = config;
  for (std::string* path : {&resolved.tls.ca, &resolved.tls.cert, &resolved.tls.key}) {
    if (!path->empty()) *path = open.project.Resolve(*path);
  }
  return opener->second(
      {open.world, resolved, open.cancel,
       [&world = open.world, &project = open.project](const Component& component) {
         return ReadRecord(world, project, component);
       }});
}

base::Owned<Repository> OpenFileStore(const OpenStores& open, const StoreConfig& config,
                                      Missing missing) {
  // Opening a repository makes its directory, so one that must not appear is looked for first.
  const std::string path = StorePath(open.project, config);
  const absl::Status there =
      missing == Missing::kCreate ? absl::OkStatus() : open.world.files.OpenRoot(path).status();
  if (absl::IsNotFound(there) && missing == Missing::kEmpty) {
    return MakeMemoryRepository(config.name, open.world.clock);
  }
  if (!there.ok()) return there;
  const uint32_t mode = config.mode != 0 ? config.mode : 0666 & ~open.world.environment.Umask();
  return OpenFilesystemRepository(open.world.files, config.name, path, mode);
}

Store OpenStore(const OpenStores& open, const StoreConfig& config, Missing missing) {
  Store store;
  store.name = config.name;
  store.priority = config.priority;
  const bool own = config.type == "filesystem";
  auto repository = own ? OpenFileStore(open, config, missing) : OpenForeign(open, config);
  if (repository.ok()) {
    store.repository = *std::move(repository);
    return store;
  }
  const Dt code = FileErrorCode(repository.status(), Dt::kStorage);
  store.status = Wrap(repository.status(), code == Dt::kPathNotFound ? Dt::kStorage : code,
                      absl::StrCat("open store ", config.name),
                      code == Dt::kPermission ? ""
                      : own                   ? "check its path in the configuration"
                                              : "check its keys in the configuration");
  return store;
}

std::vector<std::string> NamesOf(const std::vector<StoreConfig>& stores) {
  std::vector<std::string> names;
  names.reserve(stores.size());
  for (const StoreConfig& store : stores) names.push_back(store.name);
  return names;
}

absl::Status UnknownStore(absl::string_view name, const std::vector<StoreConfig>& stores,
                          absl::string_view key) {
  const std::vector<std::string> names = NamesOf(stores);
  const auto nearest = base::NearestWord(name, names);
  return Error(
      Dt::kStorage,
      absl::StrCat("open store ", name, ": not in ", key,
                   nearest.has_value() ? absl::StrCat("; did you mean ", *nearest, "?") : ""),
      names.empty() ? absl::StrCat("add it under ", key)
                    : absl::StrCat("choose one of ", absl::StrJoin(names, ", ")));
}

bool NewerFirst(const Manifest& a, const Manifest& b) {
  if (a.component.type != b.component.type) return a.component.type < b.component.type;
  return CompareVersions(a.component.version, b.component.version) > 0;
}

struct TextFile {
  std::string path, text;
};

// The files in `path` whose names end in `suffix`; none when it is missing.
absl::StatusOr<std::vector<TextFile>> ReadAll(base::World& world, const std::string& path,
                                              absl::string_view suffix) {
  std::vector<TextFile> files;
  auto dir = world.files.OpenRoot(path);
  if (absl::IsNotFound(dir.status())) return files;
  if (!dir.ok())
    return Wrap(dir.status(), FileErrorCode(dir.status(), Dt::kStorage), "read project");
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::DirCursor> cursor, (*dir)->List());
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry.has_value()) return files;
    if (!absl::EndsWith(entry->name, suffix) || entry->kind != base::FileKind::kFile) continue;
    absl::StatusOr<std::string> text = base::ReadFile(**dir, entry->name, kManifestBytesMax);
    if (!text.ok())
      return Wrap(text.status(), FileErrorCode(text.status(), Dt::kStorage), "read project");
    files.push_back({absl::StrCat(path, "/", entry->name), *std::move(text)});
  }
}

// `again`: "pack the version again".
absl::Status DamagedFile(const absl::Status& status, const TextFile& file,
                         absl::string_view again) {
  base::ErrorInfo info = base::GetErrorInfo(status);
  if (info.code != DtName(Dt::kFormat)) {
    info.hint = absl::StrCat("restore the file, or remove it and ", again);
  }
  return base::MakeError(status.code(), absl::StrCat(file.path, ": ", status.message()), info);
}

// The highest version that counts, of versions in any order.
std::optional<std::string> Latest(const std::vector<std::string>& versions, bool prerelease) {
  std::optional<std::string> best;
  for (const std::string& version : versions) {
    if (!prerelease && IsPrerelease(version)) continue;
    if (!best.has_value() || CompareVersions(version, *best) > 0) best = version;
  }
  return best;
}

// Versions of `type` whose manifest is in the store: only these are visible (D18).
absl::StatusOr<std::vector<std::string>> PublishedVersions(Repository& repository,
                                                           absl::string_view type) {
  std::vector<std::string> versions;
  std::string token;
  do {
    SLIPWAY_ASSIGN_OR_RETURN(const Page page, repository.List(absl::StrCat(type, "/"), token));
    for (const Object& object : page.objects) {
      if (!absl::EndsWith(object.key, kManifestSuffix)) continue;
      absl::string_view rest = object.key;
      absl::ConsumePrefix(&rest, absl::StrCat(type, "/"));
      const absl::string_view version = rest.substr(0, rest.find('/'));
      const Component component{std::string(type), std::string(version)};
      if (object.key == ObjectKey(component, ManifestFileName(component))) {
        versions.push_back(component.version);
      }
      if (versions.size() > kVersionsMax) {
        return absl::ResourceExhaustedError(
            absl::StrCat("list versions of ", type, ": more than ", kVersionsMax));
      }
    }
    token = page.next_token;
  } while (!token.empty());
  return versions;
}

absl::Status NotPublished(std::vector<Store>& sources, const ComponentSpec& spec) {
  std::vector<std::string> versions;
  for (Store& source : sources) {
    if (source.repository == nullptr) continue;
    const auto found = PublishedVersions(*source.repository, spec.type);
    if (found.ok()) versions.insert(versions.end(), found->begin(), found->end());
  }
  std::sort(versions.begin(), versions.end(),
            [](const std::string& a, const std::string& b) { return CompareVersions(a, b) > 0; });
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  const std::string name = absl::StrCat(spec.type, ":", *spec.version);
  if (versions.empty()) {
    return Error(
        Dt::kNotFound, absl::StrCat("find ", name, ": no version of ", spec.type, " is published"),
        absl::StrCat("deploy-tool publish ", *spec.version == "latest" ? spec.type : name));
  }
  if (versions.size() > 5) versions.resize(5);
  return Error(
      Dt::kNotFound,
      absl::StrCat("find ", name, ": not published; newest are ", absl::StrJoin(versions, ", ")),
      absl::StrCat("deploy-tool deploy ", spec.type, ":", versions.front()));
}

}  // namespace

std::vector<PublishedVersion> ListPublished(std::vector<Store>& sources, absl::string_view type,
                                            std::vector<std::string>& warnings) {
  std::vector<PublishedVersion> published;
  for (Store& source : sources) {
    const auto versions = source.repository != nullptr
                              ? PublishedVersions(*source.repository, type)
                              : absl::StatusOr<std::vector<std::string>>(source.status);
    if (!versions.ok()) {
      warnings.push_back(
          absl::StrCat("list store ", source.name, ": ", versions.status().message()));
      continue;
    }
    for (const std::string& version : *versions) {
      auto known = std::find_if(published.begin(), published.end(),
                                [&](const auto& one) { return one.version == version; });
      if (known == published.end()) known = published.insert(known, {version, {}});
      known->stores.push_back(source.name);
    }
  }
  std::sort(published.begin(), published.end(),
            [](const auto& a, const auto& b) { return CompareVersions(a.version, b.version) > 0; });
  return published;
}

absl::StatusOr<std::vector<Store>> OpenTargets(const OpenStores& open,
                                               absl::Span<const std::string> names, bool dry_run) {
  const std::vector<StoreConfig>& configured = open.project.config().publish_targets;
  if (configured.empty()) {
    return Error(
        Dt::kMissing, "publish: publish.targets is empty",
        "add a target: publish: {targets: [{name: local, type: filesystem, path: /srv/packages}]}");
  }
  const std::vector<std::string> known = NamesOf(configured);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return UnknownStore(name, configured, "publish.targets");
    }
  }
  std::vector<Store> stores;
  for (const StoreConfig& config : configured) {
    if (!names.empty() && std::find(names.begin(), names.end(), config.name) == names.end())
      continue;
    stores.push_back(OpenStore(open, config, dry_run ? Missing::kEmpty : Missing::kCreate));
    SLIPWAY_RETURN_IF_ERROR(stores.back().status);
  }
  return stores;
}

absl::StatusOr<std::vector<Store>> OpenSources(const OpenStores& open, absl::string_view only) {
  const Config& config = open.project.config();
  const bool own = !config.deploy_sources.empty();
  const std::vector<StoreConfig>& configured = own ? config.deploy_sources : config.publish_targets;
  std::vector<Store> stores;
  for (const StoreConfig& store : configured) {
    if (only.empty() || store.name == only) {
      stores.push_back(OpenStore(open, store, Missing::kError));
    }
  }
  if (stores.empty() && !only.empty()) {
    return UnknownStore(only, configured, own ? "deploy.sources" : "publish.targets");
  }
  std::stable_sort(stores.begin(), stores.end(),
                   [](const Store& a, const Store& b) { return a.priority < b.priority; });
  return stores;
}

absl::StatusOr<std::vector<Manifest>> PackedManifests(base::World& world, const Project& project) {
  SLIPWAY_ASSIGN_OR_RETURN(
      const std::vector<TextFile> files,
      ReadAll(world, project.Resolve(project.config().manifests), kManifestSuffix));
  std::vector<Manifest> manifests;
  for (const TextFile& file : files) {
    absl::StatusOr<Manifest> manifest = ParseManifest(file.text);
    if (!manifest.ok()) return DamagedFile(manifest.status(), file, "pack the version again");
    manifests.push_back(*std::move(manifest));
  }
  std::sort(manifests.begin(), manifests.end(), NewerFirst);
  return manifests;
}

absl::StatusOr<Component> FindPacked(base::World& world, const Project& project,
                                     const ComponentSpec& spec) {
  const std::string wanted = spec.version.value_or("latest");
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Manifest> manifests, PackedManifests(world, project));
  std::vector<std::string> versions, types;
  for (const Manifest& manifest : manifests) {
    types.push_back(manifest.component.type);
    if (manifest.component.type == spec.type) versions.push_back(manifest.component.version);
  }
  if (wanted == "latest") {
    const std::optional<std::string> latest = Latest(versions, /*prerelease=*/false);
    if (latest.has_value()) return Component{spec.type, *latest};
  } else if (std::find(versions.begin(), versions.end(), wanted) != versions.end()) {
    return Component{spec.type, wanted};
  }
  std::string what = absl::StrCat("find ", spec.type, ":", wanted, ": not packed in this project");
  if (!versions.empty()) {
    absl::StrAppend(&what, "; packed are ", absl::StrJoin(versions, ", "));
  } else if (const auto type = base::NearestWord(spec.type, types); type.has_value()) {
    absl::StrAppend(&what, "; did you mean ", *type, "?");
  }
  const auto nearest = base::NearestWord(wanted, versions);
  return Error(Dt::kNotFound, what,
               nearest.has_value()
                   ? absl::StrCat("use ", spec.type, ":", *nearest)
                   : absl::StrCat("deploy-tool pack ./DIR --type ", spec.type, " --version ",
                                  wanted == "latest" ? "1.0.0" : wanted));
}

absl::StatusOr<DeployComponent> FindPublished(std::vector<Store>& sources,
                                              const ComponentSpec& spec,
                                              const FindOptions& options) {
  Component component{spec.type, spec.version.value_or("latest")};
  absl::Status failure;
  const auto note = [&failure](const absl::Status& status) {
    if (failure.ok()) failure = status;
  };
  if (component.version == "latest") {
    std::vector<std::string> versions;
    for (Store& source : sources) {
      if (source.repository == nullptr) {
        note(source.status);
        continue;
      }
      const auto found = PublishedVersions(*source.repository, spec.type);
      if (!found.ok()) note(found.status());
      if (found.ok()) versions.insert(versions.end(), found->begin(), found->end());
    }
    const std::optional<std::string> latest = Latest(versions, options.prerelease);
    if (!latest.has_value())
      return failure.ok() ? NotPublished(sources, {spec.type, "latest"}) : failure;
    component.version = *latest;
  }
  DeployComponent result;
  std::vector<std::string> others;
  for (Store& source : sources) {
    if (source.repository == nullptr) {
      note(source.status);
      others.push_back(absl::StrCat(source.name, " cannot be opened"));
      continue;
    }
    auto text = GetText(*source.repository, ObjectKey(component, ManifestFileName(component)),
                        kManifestBytesMax);
    if (!text.ok()) {
      // Without an id: the version is not published there. With one: it is, but was lost.
      if (!absl::IsNotFound(text.status()) || !base::GetErrorInfo(text.status()).code.empty()) {
        const bool too_large =
            absl::IsResourceExhausted(text.status()) && !IsOutOfSpace(text.status());
        note(Wrap(text.status(), too_large ? Dt::kChecksum : Dt::kStorage,
                  absl::StrCat("read store ", source.name)));
      }
      continue;
    }
    absl::StatusOr<Manifest> manifest = ParseManifest(*text);
    if (manifest.ok() && manifest->component != component) {
      manifest = Error(Dt::kChecksum, absl::StrCat("read manifest of ", component.ToString(),
                                                   " from ", source.name, ": it describes ",
                                                   manifest->component.ToString()));
    }
    if (!manifest.ok()) {
      note(base::Annotate(manifest.status(), absl::StrCat("store ", source.name)));
      continue;
    }
    if (result.sources.empty()) {
      result.manifest = *std::move(manifest);
      result.manifest_text = *std::move(text);
      result.source_reason = absl::StrCat("first by priority (", source.priority, ")");
    } else if (manifest->package.sha256 != result.manifest.package.sha256) {
      continue;  // other bytes under the same name cannot stand in
    }
    result.sources.push_back({source.name, source.repository.get()});
  }
  if (!result.sources.empty()) return result;
  if (options.installed) {
    if (std::optional<Manifest> manifest = options.installed(component); manifest.has_value()) {
      result.manifest = *std::move(manifest);
      return result;
    }
  }
  if (!failure.ok()) return failure;
  return NotPublished(sources, {component.type, component.version});
}

absl::StatusOr<std::vector<Release>> ProjectReleases(base::World& world, const Project& project) {
  SLIPWAY_ASSIGN_OR_RETURN(
      const std::vector<TextFile> files,
      ReadAll(world, project.Resolve(project.config().releases), kReleaseSuffix));
  std::vector<Release> releases;
  for (const TextFile& file : files) {
    absl::StatusOr<Release> release = ParseRelease(file.text);
    if (!release.ok()) return DamagedFile(release.status(), file, "create the release again");
    releases.push_back(*std::move(release));
  }
  std::sort(releases.begin(), releases.end(), [](const Release& a, const Release& b) {
    return a.created_at != b.created_at ? a.created_at > b.created_at : a.version > b.version;
  });
  return releases;
}

absl::StatusOr<Release> FindRelease(base::World& world, const Project& project,
                                    std::vector<Store>& sources, absl::string_view version) {
  SLIPWAY_RETURN_IF_ERROR(CheckReleaseVersion(version).status());
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Release> releases, ProjectReleases(world, project));
  std::vector<std::string> names;
  for (const Release& release : releases) {
    if (release.version == version) return release;
    names.push_back(release.version);
  }
  for (Store& source : sources) {
    if (source.repository == nullptr) continue;
    const auto text = GetText(*source.repository, ReleaseKey(version), kManifestBytesMax);
    if (text.ok()) return ParseRelease(*text);
  }
  const auto nearest = base::NearestWord(version, names);
  return Error(Dt::kReleaseNotFound,
               absl::StrCat("find release ", version, ": neither in the project nor in a source"),
               nearest.has_value() ? absl::StrCat("did you mean ", *nearest, "?")
                                   : "deploy-tool release list");
}

}  // namespace slipway::deploy::cli
