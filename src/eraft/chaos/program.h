// The program eraft_chaos: everything but main. Thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "base/cli/program.h"

namespace slipway::eraft::chaos {

// A program for one run. Exit codes: 0 the promises were kept, or the scenario cannot run here; 1
// one was broken, or something failed; 2 usage.
std::unique_ptr<base::cli::Program> MakeProgram(const std::string& version);

}  // namespace slipway::eraft::chaos
