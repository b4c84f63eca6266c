// deploy-tool: packs, publishes, deploys and switches versions of components.
#include <iostream>

#include "absl/strings/string_view.h"
#include "base/cli/streams.h"
#include "base/failpoint.h"
#include "base/os/signals.h"
#include "base/os/terminal.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "deploy/cli/deploy_tool.h"
#include "platform/deploy_on_cas.h"

namespace {

using namespace slipway;  // NOLINT: a main

// Names of failpoints that crash tests set; a release build has none.
bool SetFailpointsFrom([[maybe_unused]] base::World& world) {
#ifdef SLIPWAY_FAULTS
  const auto list = world.environment.Get("SLIPWAY_FAILPOINTS");
  const absl::Status status = list.has_value() ? base::SetFailpoints(*list) : absl::OkStatus();
  if (!status.ok()) std::cerr << "error: " << status.message() << "\n";
  return status.ok();
#else
  return true;
#endif
}

}  // namespace

int main(int argc, char** argv) {
  base::os::World world;
  base::CancelSource cancel;
  const base::os::CancelOnSignals signals(cancel);
  if (!SetFailpointsFrom(world.world())) return base::kExitUsage;
  const base::os::Terminal terminal = base::os::DetectTerminal();
  base::cli::Streams streams{std::cin, std::cout, std::cerr};
  streams.in_is_terminal = terminal.in;
  streams.out_is_terminal = terminal.out;
  streams.err_is_terminal = terminal.err;
  streams.width = terminal.width;
  streams.out_reader_gone = base::os::OutputReaderGone;
  deploy::cli::DeployTool tool(SLIPWAY_VERSION, {{"cas", platform::CasStoreOpener()}});
  return tool.program().Run(std::vector<std::string>(argv + 1, argv + argc), streams, world.world(),
                            cancel.token());
}
