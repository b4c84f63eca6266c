// The manifest of a package, the publish record and the release (spec 6.3-6.5) as plain structs;
// their JSON is in deploy/repository. Values; thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "deploy/model/component.h"

namespace slipway::deploy {

struct Dependency {
  std::string type;
  std::string range;  // "version" of the manifest: a range of base/semver
};

struct SideFile {
  std::string file;    // name beside the package
  std::string sha256;  // 64 hex
};

struct Content {
  uint64_t files = 0;  // members of every kind but directories
  uint64_t bytes = 0;  // sum of file sizes, logical
  std::string tree;    // "blake3:<64 hex>" (DECISIONS 2)
};

struct Manifest {
  std::string manifest_version = "1.0";
  Component component;
  absl::Time created_at;
  std::string name, description;
  std::vector<Dependency> dependencies;
  std::map<std::string, std::string> labels;
  struct Package {
    std::string file;
    uint64_t size_bytes = 0;
    std::string algorithm = "gzip";  // as in the config: gzip zstd none …
    std::optional<int> level;
    std::string sha256;
    std::optional<Content> content;
    std::optional<SideFile> pieces;
    uint64_t piece_bytes = 8 << 20;
    std::optional<SideFile> index;
  } package;
  std::string source_path;  // project-relative
  std::string pack_version = "1.0";
  std::string tool_version;
  std::map<std::string, uint64_t> excluded;  // rule -> entries it removed (D11)
};

// What must hold for any manifest that is deployed or published: type and version well formed, file
// a plain name, sha256 64 hex, side files plain names that differ. DT007 naming the field.
absl::Status CheckManifest(const Manifest& manifest);

// One place where a package lies. `fields` holds what the type of location adds, in file order.
struct Location {
  std::string name;
  std::string type;  // "filesystem", …
  std::string path;  // filesystem: directory, with a trailing slash
  std::string url;
  std::vector<std::pair<std::string, std::string>> fields;
  friend bool operator==(const Location&, const Location&) = default;
};

struct PublishRecord {
  Component component;
  std::vector<Location> locations;
  absl::Time published_at;
};

struct ReleaseComponent {
  Component component;
  std::string manifest;  // project-relative path
  std::string sha256;    // of the package
};

struct Release {
  std::string version;
  std::string name;
  absl::Time created_at;
  std::vector<ReleaseComponent> components;
  uint64_t total_size_bytes = 0;
};

// Names of the objects of a version (D17): "model-1.0.0.manifest.json" and so on.
std::string ManifestFileName(const Component& component);
std::string RecordFileName(const Component& component);
std::string IndexFileName(const Component& component);
std::string PiecesFileName(const Component& component);
// "<type>/<version>/<file>".
std::string ObjectKey(const Component& component, absl::string_view file);

}  // namespace slipway::deploy
