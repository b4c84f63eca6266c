// For tests: hashes by the `b3sum` program, an implementation that is not ours.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace slipway::base {

// The lines that `b3sum --no-names ARGUMENTS…` prints, with `stdin_path` as its standard input.
// NotFound when there is no such program; Internal when it fails.
inline absl::StatusOr<std::vector<std::string>> RunB3sum(std::vector<std::string> arguments,
                                                         const std::string& stdin_path) {
  arguments.insert(arguments.begin(), {"b3sum", "--no-names"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::array<int, 2> out = {-1, -1};
  if (pipe2(out.data(), O_CLOEXEC) != 0) return absl::InternalError("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, stdin_path.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, "b3sum", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  std::string text;
  if (error == 0) {
    std::array<char, 4096> buffer;
    for (ssize_t n; (n = read(out[0], buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<size_t>(n));
    }
  }
  close(out[0]);
  if (error != 0) return absl::NotFoundError("run b3sum: not found; install the package b3sum");
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) {
    return absl::InternalError(absl::StrCat("run b3sum: wait status ", status));
  }
  return std::vector<std::string>(absl::StrSplit(text, '\n', absl::SkipEmpty()));
}

}  // namespace slipway::base
