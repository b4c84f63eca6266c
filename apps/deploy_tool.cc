// deploy-tool: packs, publishes, deploys and switches versions of components.
#include <iostream>

#include "base/os/signals.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "build_info.h"
#include "deploy/cli/deploy_tool.h"
#include "main_parts.h"
#include "platform/deploy_on_cas.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  base::os::World world({.returns_memory = true});
  base::CancelSource cancel;
  const base::os::CancelOnSignals signals(cancel);
  if (const absl::Status status = SetFailpointsFrom(world.world()); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return base::kExitUsage;
  }
  base::os::Input input(base::os::StandardInput(), cancel.token());
  base::cli::Streams streams = StandardStreams(input);
  deploy::cli::DeployTool tool(kVersion, {{"cas", platform::CasStoreOpener()}});
  tool.program().SetCommit(kCommit);
  return tool.program().Run(std::vector<std::string>(argv + 1, argv + argc), streams, world.world(),
                            cancel.token());
}
