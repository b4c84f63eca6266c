// The project a command works in: where it is, what its configuration says. Thread-compatible.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/world.h"
#include "deploy/cli/config.h"
#include "deploy/model/component.h"
#include "deploy/model/manifest.h"

namespace slipway::deploy::cli {

struct Project {
  std::string root;  // absolute, without symbolic links
  std::string file;  // of the configuration; empty: there is none, all is default
  LoadedConfig loaded;

  const Config& config() const { return loaded.config; }
  bool exists() const { return !file.empty(); }
  // Absolute: what is relative starts at the root, "~/" at `home`, if there is one.
  std::string Resolve(absl::string_view path) const;
  // "./models" where `path` lies in the project, else `path` itself.
  std::string Relative(absl::string_view path) const;
  std::string home;  // absolute; empty: HOME is not set, or relative

  const ComponentConfig* FindComponent(absl::string_view type) const;
  VersionScheme SchemeOf(absl::string_view type) const;
};

struct ProjectOptions {
  std::optional<std::string> project_root;  // --project-root
  std::optional<std::string> config_file;   // --config
  std::string environment;                  // --env
};

// The nearest directory at or above `start` that holds .deploy-tool.yaml; nothing else marks a
// project (D105, D132). Absent: none.
std::optional<std::string> FindProjectRoot(base::World& world, absl::string_view start);

// By --config, --project-root, DEPLOY_TOOL_PROJECT_ROOT, else from the working directory up.
// Without any project one with `exists()` false and defaults. DT001, DT002, DT025.
absl::StatusOr<Project> LoadProject(base::World& world, const ProjectOptions& options);

// "~" or "~/...": a path that Resolve needs `home` for.
bool StartsAtHome(absl::string_view path);

// An absolute path from one that a person typed: relative to the working directory.
std::string FromWorkingDirectory(base::World& world, absl::string_view path);

// Values of environment variables whose names say that they are secret: no record may hold them
// (D16). A name that ends in _FILE, _DIR, _DIRECTORY or _PATH says where a secret lies.
std::vector<std::string> EnvironmentSecrets(base::Environment& environment);

// DT019 when an argument holds such a value, a URL with credentials or what has the shape of a
// credential (SecretShape): arguments get into locks, journals, the history and errors, and
// everybody on the machine sees them.
absl::Status CheckArguments(absl::Span<const std::string> args, base::World& world);

}  // namespace slipway::deploy::cli
