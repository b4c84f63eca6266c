// eraft_bench: puts a load on a key-value cluster.
#include <memory>

#include "base/os/loop.h"
#include "eraft/cli/bench_commands.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  ToolMain tool_main;
  eraft::cli::BenchProgram tool(kVersion, [](absl::string_view name) {
    return std::make_unique<base::os::ThreadLoop>(name);
  });
  return tool_main.Run(tool.program(), argc, argv);
}
