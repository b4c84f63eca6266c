// Tests written as text (STYLE S22): a file of cases, each a command with its input and the output
// that is expected. `--rewrite` or SLIPWAY_REWRITE=1 puts the actual output into the files, so that
// a change is reviewed as a diff.
//
//   # A comment; blank lines and comments stand between cases.
//   parse strict max=10 name="two words"
//   input, any number of lines
//   ----
//   expected output, up to a blank line or the end
//
//   parse
//   ----
//   ----
//   output that has blank lines stands between doubled rules
//
//   ----
//   ----
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace slipway::base::testing {

struct DataCase {
  std::string command;                       // first word of the first line
  std::vector<std::string> words;            // its further words without "="
  std::map<std::string, std::string> named;  // its key=value
  std::string input;                         // the lines below, each with its newline
  std::string file;
  int line = 0;  // of the command

  // named[key], or `otherwise`.
  std::string Get(absl::string_view key, absl::string_view otherwise = "") const;
  bool Has(absl::string_view word) const;  // whether it is among the words
};

// Gives the output of a case; a final newline is added where it has none.
using DataHandler = std::function<std::string(const DataCase&)>;

// Runs the cases of `path` in order. A difference, a file that cannot be read and a malformed case
// are failures of the test, at the line of the file.
void RunDataFile(absl::string_view path, const DataHandler& handler);

// The *.txt files of `directory`, sorted. None is a failure of the test.
std::vector<std::string> DataFiles(absl::string_view directory);

// RunDataFile over DataFiles, each with a handler of its own:
//   RunDataFiles(SLIPWAY_TEST_SOURCE_DIR "/testdata", [] { return DataHandler(&Handle); });
void RunDataFiles(absl::string_view directory, absl::FunctionRef<DataHandler()> make_handler);

namespace internal {
// What RunDataFile does: compares, or rewrites the file when `rewrite`.
void RunDataFile(absl::string_view path, const DataHandler& handler, bool rewrite);
}  // namespace internal

}  // namespace slipway::base::testing
