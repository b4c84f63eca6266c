// The program "demo" that the tests of this folder run in process and from real shells.
#pragma once

#include <memory>

#include "base/cli/program.h"

namespace slipway::base::cli {

struct DemoOptions {
  std::string source;
  std::optional<std::string> type;
  std::string codec = "gzip";
  std::optional<int> level;
  std::optional<uint64_t> size;
  std::optional<absl::Duration> wait;
  std::vector<std::string> exclude;
  bool force = false;
  bool atomic = true;
  bool yes = false;
  std::string component, version;
  std::vector<std::string> specs;
  std::string fail;
  std::string root = "/opt";
};

// The options stay readable while the program lives.
std::unique_ptr<Program> MakeDemo(const std::shared_ptr<DemoOptions>& options,
                                  ProgramOptions program_options);
ProgramOptions DemoProgramOptions();

}  // namespace slipway::base::cli
