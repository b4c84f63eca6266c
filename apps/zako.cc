// zako: builds, and talks to content-addressed stores; this version has `zako cas`.
#include "zako/cli/zako.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  ToolMain tool_main;
  zako::cli::Zako tool(kVersion, zako::cli::RealCasServers());
  return tool_main.Run(tool.program(), argc, argv);
}
