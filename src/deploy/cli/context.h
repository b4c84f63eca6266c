// What the commands of deploy-tool share: global options, the project, the deploy root, progress.
// Thread-compatible; one for one run.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cli/command.h"
#include "base/cli/program.h"
#include "base/cli/progress.h"
#include "deploy/cli/project.h"
#include "deploy/cli/stores.h"
#include "deploy/release/deploy_root.h"

namespace slipway::deploy::cli {

using base::cli::Command;
using base::cli::Invocation;
using base::cli::Program;

inline constexpr char kProgramName[] = "deploy-tool";

// Spec 6.1, what this version has of it.
struct GlobalOptions {
  std::optional<std::string> project_root, root, config_file;
  std::string environment;
  std::string progress = "auto";
  bool verbose = false, debug = false, yes = false, dry_run = false;
  absl::Duration wait_lock = absl::ZeroDuration();
  std::string reason;
};

class Context {
 public:
  Context(std::string tool_version, StoreOpeners openers)
      : tool_version_(std::move(tool_version)), openers_(std::move(openers)) {}

  GlobalOptions& options() { return options_; }
  const std::string& tool_version() const { return tool_version_; }

  // For OpenTargets and OpenSources; borrows `in`, `project` and this.
  OpenStores StoresOf(Invocation& in, const Project& project) const {
    return {in.world, project, openers_, in.cancel};
  }

  // The project, or one of defaults where there is none; its warnings are passed on once.
  absl::StatusOr<const Project*> AnyProject(Invocation& in);
  // DT002 where there is none.
  absl::StatusOr<const Project*> RequireProject(Invocation& in);

  // The deploy root: --root, else `target` (a name of deploy.targets, or a path), else deploy.root.
  absl::StatusOr<std::string> RootPath(Invocation& in, absl::string_view target = "");
  base::Owned<DeployRoot> OpenRoot(Invocation& in, OpenMode mode, absl::string_view target = "");

  // links, progress, dry_run and reason of a change.
  absl::StatusOr<ChangeOptions> MakeChange(Invocation& in, absl::string_view target = "");
  // What draws the progress of one operation; silent with --quiet, and with --json unless asked
  // for.
  std::shared_ptr<base::cli::Progress> MakeProgress(Invocation& in);

 private:
  const std::string tool_version_;
  const StoreOpeners openers_;
  GlobalOptions options_;
  std::optional<Project> project_;
};

// Feeds a Progress from the callbacks of the deploy root.
ProgressFn FollowDeploy(const std::shared_ptr<base::cli::Progress>& progress);

// Custom links of the project: deploy.custom_links and those of its components. Their paths start
// at the project's root (D39), their targets at the deploy root (D26).
LinkOptions LinksOf(const Project& project, bool adopt);

}  // namespace slipway::deploy::cli
