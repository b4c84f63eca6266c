// .deploy-tool.yaml as a struct (spec 6.2). Values; thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/codec/codec.h"
#include "base/config/reader.h"
#include "base/config/secret.h"
#include "base/world.h"
#include "deploy/model/component.h"
#include "deploy/model/manifest.h"
#include "deploy/release/options.h"

namespace slipway::deploy::cli {

inline constexpr char kConfigFile[] = ".deploy-tool.yaml";
inline constexpr char kEnvironmentPrefix[] = "DEPLOY_TOOL";
inline constexpr char kConfigVersion[] = "1.0";
inline constexpr char kDefaultRoot[] = "/opt/deployments";

struct ComponentConfig {
  std::string path, description;
  std::vector<std::string> exclude, include;
  std::optional<base::Codec> codec;
  std::optional<int> level;
  std::vector<std::string> depends;  // "runtime >=3.10 <4"
  VersionScheme version_scheme = VersionScheme::kSemver;
  bool allow_absolute_symlinks = false;
  std::map<std::string, std::string> custom_links;
};

// A store to publish to or to deploy from.
struct StoreConfig {
  std::string name;
  std::string type;  // "filesystem", "cas"
  int64_t priority = 100;
  // filesystem
  std::string path, prefix;
  uint32_t mode = 0;  // 0: by the umask
  // cas
  std::string endpoint;  // "host:port"
  struct Tls {
    bool enabled = false;       // also without a file: the system's authorities
    std::string ca, cert, key;  // paths, relative to the project root unless absolute
    std::string server_name;    // expected in the certificate, if not the host
  } tls;
  base::Secret token;
};

struct TargetConfig {
  std::string root;
};

struct Config {
  std::string version = kConfigVersion;
  std::string name, type = "general", description, root = ".";
  // Relative to the project root unless absolute.
  std::string deployment = "./deployment", manifests, releases, configs, publish, dist = "./dist",
              cache = "./.deploy-tool-cache";
  std::map<std::string, ComponentConfig> components;
  std::vector<std::string> pack_exclude, pack_include;  // beside the built-in ones
  base::Codec codec = base::Codec::kGzip;
  int level = 6;
  std::string mtime = "source";
  std::vector<StoreConfig> publish_targets;
  bool publish_atomic = true;
  std::string deploy_root = kDefaultRoot;
  std::vector<StoreConfig> deploy_sources;
  bool links_enabled = true;
  std::map<std::string, std::string> custom_links;
  bool create_parents = false;
  bool allow_root = false;
  Durability durability = Durability::kFull;
  std::map<std::string, TargetConfig> targets;  // deploy.targets
  std::string log_level = "info";
};

// "runtime >=3.10 <4", as --depends and components.<type>.depends have it; DT013, DT014.
absl::StatusOr<Dependency> ParseDependency(absl::string_view text);

// The patterns every pack leaves out (D11); `pack.exclude` adds to them.
const std::vector<std::string>& DefaultExcludes();

struct ConfigSources {
  base::ConfigNode file;    // parsed; an empty map without a project
  std::string environment;  // --env; empty: none
  std::string directory;    // of the file
};

struct LoadedConfig {
  Config config;
  std::vector<std::string> warnings;
  std::vector<base::ConfigField> values, schema;
};

// Expands, merges `environments.<name>`, overlays DEPLOY_TOOL__SECTION__KEY, binds. DT001 with
// every problem; DT025 for a newer major version of the format.
absl::StatusOr<LoadedConfig> BindConfig(ConfigSources sources, base::World& world);

// Names under `environments`.
std::vector<std::string> EnvironmentNames(const base::ConfigNode& file);

}  // namespace slipway::deploy::cli
