// eraft_bench: puts a load on a key-value cluster.
#include <iostream>

#include "base/os/loop.h"
#include "base/os/signals.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "build_info.h"
#include "eraft/cli/bench_commands.h"
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
  base::os::Input input(base::os::StandardInput(), cancel.token());
  base::cli::Streams streams = StandardStreams(input);
  eraft::cli::BenchProgram tool(kVersion, [](absl::string_view name) {
    return std::make_unique<base::os::ThreadLoop>(name);
  });
  tool.program().SetCommit(kCommit);
  return tool.program().Run(std::vector<std::string>(argv + 1, argv + argc), streams, world.world(),
                            cancel.token());
}
