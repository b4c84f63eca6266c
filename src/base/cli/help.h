// The text of --help, from the live option tree. Thread-safe: free functions without state.
#pragma once

#include <string>

#include "base/cli/program.h"

namespace slipway::base::cli {

// Help of the program (path ""), a group or a command: examples first. Lines fit `width` columns
// where words allow it.
std::string HelpText(const Program& program, absl::string_view path, int width);

// "[SOURCE] [OPTIONS]"
std::string UsageText(const Command& command);

}  // namespace slipway::base::cli
