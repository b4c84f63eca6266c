// eraftctl: looks after nodes of eraft.
#include "eraft/cli/eraftctl.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  ToolMain tool_main({.children_end_with_process = true});  // the servers of a drill
  eraft::cli::EraftCtl tool(kVersion);
  return tool_main.Run(tool.program(), argc, argv);
}
