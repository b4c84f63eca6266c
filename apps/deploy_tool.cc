// deploy-tool: packs, publishes, deploys and switches versions of components.
#include "deploy/cli/deploy_tool.h"
#include "main_parts.h"
#include "platform/deploy_on_cas.h"

using namespace slipway;  // NOLINT: a main

int main(int argc, char** argv) {
  ToolMain tool_main({.returns_memory = true});
  deploy::cli::DeployTool tool(kVersion, {{"cas", platform::CasStoreOpener()}});
  return tool_main.Run(tool.program(), argc, argv);
}
