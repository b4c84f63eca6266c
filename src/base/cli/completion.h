// Completion for bash, zsh and fish from the live option tree: the scripts ask the program itself,
// through a hidden command, so they never grow old. Thread-safe: free functions without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/cli/program.h"

namespace slipway::base::cli {

// The script that a shell sources. InvalidArgument for another shell.
absl::StatusOr<std::string> CompletionScript(const Program& program, absl::string_view shell);

// What `PROGRAM __complete ARGS…` prints: one candidate a line in the form that the shell's script
// expects, `:files` or `:dirs` where file names are wanted. Arguments:
//   bash LINE WORDBREAKS   LINE up to the cursor
//   zsh WORD…              the words after the program's name, the last one up to the cursor
//   fish WORD…             the same
// Never fails: a line that makes no sense has no candidates.
std::string Complete(const Program& program, absl::Span<const std::string> args, World& world);

// `completion SHELL` and `help [COMMAND...]`. The strings live as long as the program.
void AddBuiltinCommands(Program& program, std::string& shell, std::vector<std::string>& topic);

// The words of a command line as a shell splits them, the last one possibly empty.
std::vector<std::string> SplitLine(absl::string_view line);

}  // namespace slipway::base::cli
