// The text of --help, from the live option tree, and of messages. Thread-safe: free functions
// without state.
#pragma once

#include <string>

#include "base/cli/program.h"

namespace slipway::base::cli {

// Help of the program (path ""), a group or a command: examples first. Lines fit `width` columns
// where words allow it.
std::string HelpText(const Program& program, absl::string_view path, int width);

// `message` fit for a terminal. Its parts were escaped where it was put together, so a backslash
// stays what it is; EscapeForTerminal would escape it once more.
std::string MessageText(absl::string_view message);

// "[SOURCE] [OPTIONS]"
std::string UsageText(const Command& command);

}  // namespace slipway::base::cli
