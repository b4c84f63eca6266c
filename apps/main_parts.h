// What the mains of the programs share.
#pragma once

#include <iostream>

#include "absl/status/status.h"
#include "base/cli/streams.h"
#include "base/failpoint.h"
#include "base/os/input.h"
#include "base/os/terminal.h"
#include "base/world.h"

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

}  // namespace slipway
