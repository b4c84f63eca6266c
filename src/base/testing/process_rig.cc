#include "base/testing/process_rig.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace slipway::base::testing {
namespace {

constexpr absl::Duration kAskEvery = absl::Milliseconds(10);

std::map<std::string, std::string> EnvironmentFor(const ProgramOptions& options) {
  std::map<std::string, std::string> env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == absl::string_view::npos) continue;
    env[std::string(text.substr(0, equals))] = std::string(text.substr(equals + 1));
  }
  for (const std::string& name : options.env_unset) env.erase(name);
  for (const auto& [name, value] : options.env) env[name] = value;
  return env;
}

std::string Describe(const ExitStatus& status) {
  return absl::StrCat(status.signal == 0 ? absl::StrCat("exit code ", status.code)
                                         : absl::StrCat("signal ", status.signal),
                      "\nout: ", status.out, "\nerr: ", status.err);
}

}  // namespace

std::string BuildDir(absl::string_view compiled_in) {
  const char* variable = std::getenv("SLIPWAY_BUILD_DIR");
  if (variable != nullptr && *variable != '\0') return variable;
  return std::string(compiled_in);
}

std::string ProgramPath(absl::string_view name, absl::string_view compiled_in) {
  return absl::StrCat(BuildDir(compiled_in), "/bin/", name);
}

ProcessRig::~ProcessRig() {
  while (!started_.empty()) started_.pop_back();
}

Owned<Process> ProcessRig::Spawn(std::vector<std::string> argv, const ProgramOptions& options) {
  SpawnOptions spawn;
  spawn.argv = std::move(argv);
  spawn.env = EnvironmentFor(options);
  spawn.cwd = options.cwd;
  spawn.stdin_text = options.stdin_text;
  return spawner_.Spawn(std::move(spawn));
}

ExitStatus ProcessRig::Run(std::vector<std::string> argv, const ProgramOptions& options) {
  const std::string shown = absl::StrJoin(argv, " ");
  const auto failed = [&](const absl::Status& status) {
    ADD_FAILURE() << "run " << shown << ": " << status;
    return ExitStatus{.code = -1, .err = status.ToString()};
  };
  const Owned<Process> process = Spawn(std::move(argv), options);
  if (!process.ok()) return failed(process.status());
  absl::StatusOr<ExitStatus> status = (*process)->Wait(options.timeout);
  if (!status.ok()) return failed(status.status());
  return *std::move(status);
}

Process* ProcessRig::Start(std::vector<std::string> argv, const ProgramOptions& options) {
  const std::string shown = absl::StrJoin(argv, " ");
  Owned<Process> process = Spawn(std::move(argv), options);
  if (!process.ok()) {
    ADD_FAILURE() << "start " << shown << ": " << process.status();
    return nullptr;
  }
  started_.push_back(*std::move(process));
  return started_.back().get();
}

absl::Status ProcessRig::Await(Process& process, absl::FunctionRef<bool()> ready,
                               absl::Duration timeout) {
  // The wait for the program's end is the pause between two questions, and drains its output.
  for (absl::Duration waited; waited <= timeout; waited += kAskEvery) {
    if (ready()) return absl::OkStatus();
    const absl::StatusOr<ExitStatus> ended = process.Wait(kAskEvery);
    if (ended.ok()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "process ", process.pid(), " ended before it was ready: ", Describe(*ended)));
    }
    if (!absl::IsDeadlineExceeded(ended.status())) return ended.status();
  }
  return absl::DeadlineExceededError(absl::StrCat(
      "process ", process.pid(), " was not ready after ", absl::FormatDuration(timeout)));
}

ExitStatus RunProgram(Spawner& spawner, const std::vector<std::string>& argv,
                      const ProgramOptions& options) {
  return ProcessRig(spawner).Run(argv, options);
}

}  // namespace slipway::base::testing
