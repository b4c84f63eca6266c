// Words to command, options and arguments. Thread-compatible.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/cli/program.h"

namespace slipway::base::cli {

// Where the words have led. The same walk parses and completes.
struct Walk {
  std::string path;                    // "version switch"; "" at the top
  const Command* command = nullptr;    // at exactly `path`; null for a group or the top
  const Parameter* pending = nullptr;  // an option that waits for its value
  std::string pending_word;            // as it was written
  bool options_ended = false;          // after --
  size_t arguments = 0;
  bool help = false;
  bool version = false;
};

// Replaces `@FILE` by the file's lines and `@-` by those of `in`; blank lines and lines that begin
// with # are left out. Nested files work up to a depth. InvalidArgument, NotFound,
// ResourceExhausted.
absl::StatusOr<std::vector<std::string>> ExpandArgumentFiles(absl::Span<const std::string> args,
                                                             Files& files, std::istream& in);

// Takes one word. With `apply`, values are set. Errors are wrong usage.
absl::Status Step(const Program& program, absl::string_view word, bool apply, Walk& walk);

// In a Go-style program, behind the first argument and before the last that the command takes: a
// dash means nothing there, the value in `append k -x` is data.
bool BetweenArguments(const Program& program, const Walk& walk);

// What must be there at the end: a value for `pending`, the required arguments.
absl::Status CheckEnd(const Program& program, const Walk& walk);

// The option `name` ("--force", "--no-atomic", "-f") of the command or the globals; `negated` tells
// a --no- form.
const Parameter* FindOption(const Program& program, const Walk& walk, absl::string_view name,
                            bool* negated);

}  // namespace slipway::base::cli
