// Finds published versions in several repositories. A version is there when its manifest is (D18).
// Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "deploy/model/component.h"
#include "deploy/model/manifest.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {

struct Source {
  Source(std::string source, int rank, Repository& store)
      : name(std::move(source)), priority(rank), repository(&store) {}
  std::string name;
  int priority;            // lower first
  Repository* repository;  // borrowed, never null
};

// A published version and where it can be fetched.
struct Resolved {
  Component component;
  Manifest manifest;
  std::string manifest_text;
  // Sources, best first, whose manifest names the same package; indices into sources().
  std::vector<size_t> sources;
  std::vector<std::string> warnings;  // sources that could not be asked or hold other content
};

struct PublishedVersions {
  std::vector<std::string> versions;  // ascending by CompareVersions, each once
  std::vector<std::string> warnings;  // sources that could not be asked
};

class Resolver {
 public:
  // Sources of equal priority keep the order they are given in.
  explicit Resolver(std::vector<Source> sources);

  const std::vector<Source>& sources() const { return sources_; }

  // The versions of `type` in any source. DT013; DT004 when no source could be asked.
  absl::StatusOr<PublishedVersions> List(absl::string_view type) const;

  // type:version, or type:latest, the highest version that is no prerelease (D103) unless
  // `prereleases`. DT009 without a version. DT010 when every source was asked and none has it,
  // naming those that are there; DT004 when some could not be asked. DT007, DT025: the manifest of
  // the best source that has the version is wrong.
  absl::StatusOr<Resolved> Resolve(const ComponentSpec& spec, bool prereleases = false) const;

  // A side file of `resolved`, at most `limit_bytes`, from the first of its sources where the
  // digest is right. DT007: none; DT004, DT010 as the last source says.
  absl::StatusOr<std::string> FetchSideFile(const Resolved& resolved, const SideFile& side,
                                            uint64_t limit_bytes) const;

  // A release. DT011, DT004, DT007, DT025.
  absl::StatusOr<Release> FetchRelease(absl::string_view version) const;

 private:
  absl::StatusOr<Resolved> ResolveVersion(const Component& component) const;
  absl::Status NotThere(const Component& component) const;

  std::vector<Source> sources_;
};

}  // namespace slipway::deploy
