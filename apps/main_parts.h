// What the mains of the programs share.
#pragma once

#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/cli/program.h"
#include "base/cli/streams.h"
#include "base/failpoint.h"
#include "base/os/input.h"
#include "base/os/signals.h"
#include "base/os/terminal.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "build_info.h"

namespace slipway {

// Names of failpoints that crash tests set; a release build has none.
inline absl::Status SetFailpointsFrom([[maybe_unused]] base::World& world) {
#ifdef SLIPWAY_FAULTS
  const auto list = world.environment.Get("SLIPWAY_FAILPOINTS");
  if (list.has_value()) return base::SetFailpoints(*list);
#endif
  return absl::OkStatus();
}

// The standard streams of this process. `input`: its standard input.
inline base::cli::Streams StandardStreams(base::os::Input& input) {
  const base::os::Terminal terminal = base::os::DetectTerminal();
  base::cli::Streams streams{input.stream(), std::cout, std::cerr};
  streams.in_status = [&input] { return input.status(); };
  streams.in_is_terminal = terminal.in;
  streams.out_is_terminal = terminal.out;
  streams.err_is_terminal = terminal.err;
  streams.width = terminal.width;
  streams.out_reader_gone = base::os::OutputReaderGone;
  return streams;
}

// What runs `program` with the words of the command line and this process's streams.
inline int RunProgram(base::cli::Program& program, int argc, char** argv, base::World& world,
                      const base::CancelToken& cancel) {
  if (const absl::Status status = SetFailpointsFrom(world); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return base::kExitUsage;
  }
  program.SetCommit(kCommit);
  base::os::Input input(base::os::StandardInput(), cancel);
  base::cli::Streams streams = StandardStreams(input);
  return program.Run(std::vector<std::string>(argv + 1, argv + argc), streams, world, cancel);
}

// The world of a program that does one thing and ends, earlier on a signal. Built first in main: it
// blocks the signals before any library starts a thread.
class ToolMain {
 public:
  explicit ToolMain(base::os::WorldOptions options = {}) : world_(options), signals_(cancel_) {}

  int Run(base::cli::Program& program, int argc, char** argv) {
    return RunProgram(program, argc, argv, world_.world(), cancel_.token());
  }

 private:
  base::os::World world_;
  base::CancelSource cancel_;
  const base::os::CancelOnSignals signals_;
};

}  // namespace slipway
