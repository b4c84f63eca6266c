#include "deploy/repository/resolver.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/digest/sha256.h"
#include "base/mutant.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/local_package.h"
#include "deploy/repository/publisher.h"
#include "deploy/repository/target_run.h"

namespace slipway::deploy {
namespace {

constexpr size_t kNamedVersionsMax = 5;

std::string CannotAsk(const Source& source, const absl::Status& status) {
  return absl::StrCat("source ", source.name, " cannot be asked: ", status.message());
}

// The version whose manifest `key` is, if it is one:
// "<type>/<version>/<type>-<version>.manifest.json".
std::optional<std::string> VersionOfKey(absl::string_view type, absl::string_view key) {
  const std::vector<std::string> parts = absl::StrSplit(key, '/');
  if (parts.size() != 3 || parts[0] != type) return std::nullopt;
  if (!CheckVersion(parts[1], VersionScheme::kAny).ok()) return std::nullopt;
  if (parts[2] != ManifestFileName({parts[0], parts[1]})) return std::nullopt;
  return parts[1];
}

absl::Status ListSource(const Source& source, absl::string_view type,
                        std::vector<std::string>& versions) {
  std::string token;
  do {
    SLIPWAY_ASSIGN_OR_RETURN(const Page page,
                             source.repository->List(absl::StrCat(type, "/"), token));
    for (const Object& object : page.objects) {
      if (auto version = VersionOfKey(type, object.key)) versions.push_back(*std::move(version));
    }
    token = page.next_token;
  } while (!token.empty());
  return absl::OkStatus();
}

}  // namespace

Resolver::Resolver(std::vector<Source> sources) : sources_(std::move(sources)) {
  std::stable_sort(sources_.begin(), sources_.end(),
                   [](const Source& a, const Source& b) { return a.priority < b.priority; });
}

absl::StatusOr<PublishedVersions> Resolver::List(absl::string_view type) const {
  SLIPWAY_RETURN_IF_ERROR(CheckType(type));
  PublishedVersions found;
  for (const Source& source : sources_) {
    const absl::Status listed = ListSource(source, type, found.versions);
    if (!listed.ok()) found.warnings.push_back(CannotAsk(source, listed));
  }
  if (found.warnings.size() == sources_.size()) {
    return Error(Dt::kStorage,
                 absl::StrCat("list versions of ", type, ": ",
                              sources_.empty() ? "no source is configured"
                                               : absl::StrJoin(found.warnings, "; ")));
  }
  // Build metadata does not count in the order; the text makes it one order nevertheless.
  std::sort(found.versions.begin(), found.versions.end(),
            [](const std::string& a, const std::string& b) {
              const int order = CompareVersions(a, b);
              return order != 0 ? order < 0 : a < b;
            });
  found.versions.erase(std::unique(found.versions.begin(), found.versions.end()),
                       found.versions.end());
  return found;
}

absl::StatusOr<Resolved> Resolver::Resolve(const ComponentSpec& spec, bool prereleases) const {
  if (!spec.version) {
    return Error(Dt::kMissing, absl::StrCat("find ", spec.type, ": no version named"),
                 absl::StrCat("write ", spec.type, ":VERSION or ", spec.type, ":latest"));
  }
  if (*spec.version != "latest") return ResolveVersion({spec.type, *spec.version});
  SLIPWAY_ASSIGN_OR_RETURN(const PublishedVersions published, List(spec.type));
  const auto latest = std::find_if(
      published.versions.rbegin(), published.versions.rend(),
      [&](const std::string& version) { return prereleases || !IsPrerelease(version); });
  if (latest != published.versions.rend()) {
    absl::StatusOr<Resolved> resolved = ResolveVersion({spec.type, *latest});
    // A source that was silent here may hold a later one: the caller should say so.
    if (resolved.ok() && resolved->warnings.empty()) resolved->warnings = published.warnings;
    return resolved;
  }
  if (!published.warnings.empty()) {
    return Error(Dt::kStorage, absl::StrCat("find ", spec.type,
                                            ":latest: ", absl::StrJoin(published.warnings, "; ")));
  }
  const bool only_prereleases = !published.versions.empty();
  return Error(
      Dt::kNotFound,
      absl::StrCat("find ", spec.type, ":latest: ",
                   only_prereleases ? "only prereleases are" : "no version is", " published"),
      only_prereleases ? "admit them with --pre" : "deploy-tool publish");
}

absl::StatusOr<Resolved> Resolver::ResolveVersion(const Component& component) const {
  SLIPWAY_RETURN_IF_ERROR(CheckType(component.type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(component.version, VersionScheme::kAny));
  const std::string key = ObjectKey(component, ManifestFileName(component));
  Resolved resolved;
  resolved.component = component;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    absl::StatusOr<std::string> text = GetText(*source.repository, key, kManifestBytesMax);
    if (absl::IsNotFound(text.status())) continue;
    if (!text.ok()) {
      resolved.warnings.push_back(CannotAsk(source, text.status()));
      continue;
    }
    absl::StatusOr<Manifest> manifest = ParseManifest(*text);
    if (manifest.ok() && manifest->component != component) {
      manifest = Error(Dt::kChecksum, absl::StrCat("read manifest ", key, ": it describes ",
                                                   manifest->component.ToString()));
    }
    if (resolved.sources.empty()) {
      // The best source that has the version decides what it is; a worse one may not stand in for
      // it.
      if (!manifest.ok()) return base::Annotate(manifest.status(), source.name);
      resolved.manifest = *std::move(manifest);
      resolved.manifest_text = *std::move(text);
    } else if (!manifest.ok() || manifest->package.sha256 != resolved.manifest.package.sha256) {
      resolved.warnings.push_back(absl::StrCat("source ", source.name, " holds other content as ",
                                               component.ToString(), " and is not used"));
      continue;
    }
    resolved.sources.push_back(i);
  }
  if (!resolved.sources.empty()) return resolved;
  if (resolved.warnings.empty() && !sources_.empty()) return NotThere(component);
  return Error(Dt::kStorage,
               absl::StrCat("find ", component.ToString(), ": ",
                            sources_.empty() ? "no source is configured"
                                             : absl::StrJoin(resolved.warnings, "; ")));
}

absl::Status Resolver::NotThere(const Component& component) const {
  std::string known = absl::StrCat("no version of ", component.type, " is");
  const absl::StatusOr<PublishedVersions> published = List(component.type);
  if (published.ok() && !published->versions.empty()) {
    const std::vector<std::string>& versions = published->versions;
    const size_t shown = std::min(versions.size(), kNamedVersionsMax);
    const std::vector<std::string> last(versions.end() - static_cast<ptrdiff_t>(shown),
                                        versions.end());
    known = absl::StrCat(shown < versions.size() ? "the latest published are " : "published are ",
                         absl::StrJoin(last, ", "));
  } else {
    absl::StrAppend(&known, " published");
  }
  return Error(Dt::kNotFound,
               absl::StrCat("find ", component.ToString(), ": not published; ", known),
               absl::StrCat("deploy-tool version list ", component.type, " --available"));
}

absl::StatusOr<std::string> Resolver::FetchSideFile(const Resolved& resolved, const SideFile& side,
                                                    uint64_t limit_bytes) const {
  absl::Status last = Error(Dt::kNotFound, absl::StrCat("fetch ", side.file, ": no source has it"));
  for (const size_t i : resolved.sources) {
    const Source& source = sources_[i];
    absl::StatusOr<std::string> text =
        GetText(*source.repository, ObjectKey(resolved.component, side.file), limit_bytes);
    const std::string what = absl::StrCat("fetch ", side.file, " from ", source.name);
    if (!text.ok()) {
      last = absl::IsNotFound(text.status()) ? Wrap(text.status(), Dt::kNotFound, what)
                                             : TargetError(text.status(), what);
      continue;
    }
    const std::string got = base::ToHex(base::Sha256Of(base::AsBytes(*text)));
    if (got == side.sha256 || SLIPWAY_MUTANT("skip-digest")) return text;
    last = Error(Dt::kChecksum,
                 absl::StrCat(what, ": its sha256 is ", got, ", the manifest says ", side.sha256));
  }
  return last;
}

absl::StatusOr<Release> Resolver::FetchRelease(absl::string_view version) const {
  SLIPWAY_RETURN_IF_ERROR(CheckReleaseVersion(version).status());
  std::vector<std::string> silent;
  for (const Source& source : sources_) {
    const absl::StatusOr<std::string> text =
        GetText(*source.repository, ReleaseKey(version), kRecordBytesMax);
    if (absl::IsNotFound(text.status())) continue;
    if (!text.ok()) {
      silent.push_back(CannotAsk(source, text.status()));
      continue;
    }
    absl::StatusOr<Release> release = ParseRelease(*text);
    if (!release.ok()) return base::Annotate(release.status(), source.name);
    return release;
  }
  if (!silent.empty()) {
    return Error(Dt::kStorage,
                 absl::StrCat("find release ", version, ": ", absl::StrJoin(silent, "; ")));
  }
  return Error(Dt::kReleaseNotFound, absl::StrCat("find release ", version, ": not published"),
               "deploy-tool release list");
}

}  // namespace slipway::deploy
