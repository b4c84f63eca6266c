// The program eraftctl: everything but main.
// Thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/cli/program.h"
#include "eraft/cli/commands.h"
#include "eraft/client/admin_client.h"

namespace slipway::eraft::cli {

// A program for one run.
class EraftCtl {
 public:
  // `open`: how commands reach nodes; tests have another.
  explicit EraftCtl(const std::string& version, OpenAdmin open = client::AdminClient::Open);
  ~EraftCtl();
  base::cli::Program& program() { return *program_; }

 private:
  std::unique_ptr<base::cli::Program> program_;
};

// Exit codes (spec 6.3): 1 refused or failed, 2 usage, 3 unreachable or timed out, 4 corruption.
int ExitCodeOf(const absl::Status& status);

}  // namespace slipway::eraft::cli
