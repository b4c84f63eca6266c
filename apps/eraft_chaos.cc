// eraft_chaos: breaks clusters of kvserver and looks whether their promises hold.
#include "eraft/chaos/program.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  ToolMain tool_main;
  const auto program = eraft::chaos::MakeProgram(kVersion);
  return tool_main.Run(*program, argc, argv);
}
