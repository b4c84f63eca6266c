// Child processes. Spawn: thread-safe; a Process: one thread at a time, except Kill.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/status.h"

namespace slipway::base {

struct SpawnOptions {
  std::vector<std::string> argv;  // argv[0]: absolute path, or a name looked up in PATH
  std::optional<std::map<std::string, std::string>> env;  // absent: inherited
  std::string cwd;                                        // empty: inherited
  std::string stdin_text;
  bool capture = true;                           // collect stdout and stderr; false: inherited
  uint64_t output_bytes_max = 16 * 1024 * 1024;  // each; the child is killed beyond it
  bool new_group = true;                         // own process group, killed as a whole
};

struct ExitStatus {
  int code = 0;    // exit code; -1 when killed by a signal
  int signal = 0;  // 0 when it exited
  std::string out, err;
};

class Process {
 public:
  // Kills the program if it still runs and, where it has a group of its own, whatever is left of
  // that, also after Wait; and reaps.
  virtual ~Process() = default;
  virtual int pid() const = 0;
  virtual absl::Status Kill(int signal) = 0;  // NotFound when it has ended
  // Waits for the end, or DeadlineExceeded (the process runs on).
  virtual absl::StatusOr<ExitStatus> Wait(absl::Duration timeout) = 0;
};

class Spawner {
 public:
  virtual ~Spawner() = default;
  // NotFound or PermissionDenied when the program cannot be started. InvalidArgument: no name, a
  // NUL byte in a text, a variable whose name is empty or holds `=`.
  virtual Owned<Process> Spawn(SpawnOptions options) = 0;
};

}  // namespace slipway::base
