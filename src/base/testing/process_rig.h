// Programs under test. Thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/spawner.h"

#ifndef SLIPWAY_TEST_BINARY_DIR
#define SLIPWAY_TEST_BINARY_DIR ""
#endif

namespace slipway::base::testing {

// The build directory: $SLIPWAY_BUILD_DIR, else where the test was compiled.
std::string BuildDir(absl::string_view compiled_in = SLIPWAY_TEST_BINARY_DIR);
// The program `name` of the build.
std::string ProgramPath(absl::string_view name,
                        absl::string_view compiled_in = SLIPWAY_TEST_BINARY_DIR);

struct ProgramOptions {
  std::map<std::string, std::string> env;  // set beside or instead of what is inherited
  std::vector<std::string> env_unset;      // not inherited
  std::string cwd;
  std::string stdin_text;
  absl::Duration timeout = absl::Seconds(60);  // Run: the program is killed after it
};

// Starts programs, and kills and reaps with their groups those that still run at its end.
// `spawner` is base::os::SystemSpawner, or that of a simulated world.
class ProcessRig {
 public:
  explicit ProcessRig(Spawner& spawner) : spawner_(spawner) {}
  ~ProcessRig();  // in the reverse order of their starts
  ProcessRig(const ProcessRig&) = delete;
  ProcessRig& operator=(const ProcessRig&) = delete;

  // Runs to the end. A program that does not start or does not end in time is a failure of the
  // test, and has code -1 and the reason in `err`.
  ExitStatus Run(std::vector<std::string> argv, const ProgramOptions& options = {});

  // Starts a program that runs on. Borrowed; null, and a failure of the test, when it cannot start.
  Process* Start(std::vector<std::string> argv, const ProgramOptions& options = {});

  // Waits until `ready()`, asked every 10 ms. FailedPrecondition with its output when the program
  // ends first, DeadlineExceeded when it is not ready in time.
  static absl::Status Await(Process& process, absl::FunctionRef<bool()> ready,
                            absl::Duration timeout = absl::Seconds(30));

 private:
  Owned<Process> Spawn(std::vector<std::string> argv, const ProgramOptions& options);

  Spawner& spawner_;
  std::vector<std::unique_ptr<Process>> started_;
};

// ProcessRig(spawner).Run(argv, options).
ExitStatus RunProgram(Spawner& spawner, const std::vector<std::string>& argv,
                      const ProgramOptions& options = {});

}  // namespace slipway::base::testing
