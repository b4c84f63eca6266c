// `kvclient bench` and the program eraft_bench (E30, E81). Thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "base/cli/program.h"
#include "base/loop.h"
#include "eraft/cli/connection_flags.h"

namespace slipway::eraft::cli {

// Adds `bench <num> [clients]`, over the legacy API, with the lines of the reference (spec 6.3).
// `connection` outlives the program.
void AddBenchCommand(base::cli::Program& program, ConnectionFlags& connection);

// The program eraft_bench: everything but main. For one run.
class BenchProgram {
 public:
  using MakeLoop = std::function<std::unique_ptr<base::Loop>(absl::string_view name)>;
  // `make_loop`: a loop on a thread of its own, for each connection of the pipeline API.
  BenchProgram(const std::string& version, MakeLoop make_loop);
  ~BenchProgram();
  base::cli::Program& program() { return *program_; }

 private:
  struct Flags;
  std::unique_ptr<Flags> flags_;
  std::unique_ptr<base::cli::Program> program_;
};

}  // namespace slipway::eraft::cli
