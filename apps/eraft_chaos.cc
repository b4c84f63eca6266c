// eraft_chaos: breaks clusters of kvserver and looks whether their promises hold.
#include <iostream>

#include "base/os/signals.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "build_info.h"
#include "eraft/chaos/program.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  base::os::World world;
  base::CancelSource cancel;
  const base::os::CancelOnSignals signals(cancel);
  base::os::Input input(base::os::StandardInput(), cancel.token());
  base::cli::Streams streams = StandardStreams(input);
  const auto program = eraft::chaos::MakeProgram(kVersion);
  program->SetCommit(kCommit);
  return program->Run(std::vector<std::string>(argv + 1, argv + argc), streams, world.world(),
                      cancel.token());
}
