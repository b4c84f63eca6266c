// eraftctl: looks after nodes of eraft.
#include <iostream>

#include "base/os/signals.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "build_info.h"
#include "eraft/cli/eraftctl.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  base::os::World world;
  base::CancelSource cancel;
  const base::os::CancelOnSignals signals(cancel);
  if (const absl::Status status = SetFailpointsFrom(world.world()); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return base::kExitUsage;
  }
  base::os::Input input(STDIN_FILENO, cancel.token());
  base::cli::Streams streams = StandardStreams(input);
  eraft::cli::EraftCtl tool(kVersion);
  tool.program().SetCommit(kCommit);
  return tool.program().Run(std::vector<std::string>(argv + 1, argv + argc), streams, world.world(),
                            cancel.token());
}
