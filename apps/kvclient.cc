// kvclient: reads and writes keys of a kvserver cluster.
#include "eraft/cli/kvclient.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  ToolMain tool_main;
  eraft::cli::KvClientProgram tool(kVersion);
  return tool_main.Run(tool.program(), argc, argv);
}
