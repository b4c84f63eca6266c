// The program eraftctl: everything but main. This version has `eraftctl wal …` (E116).
// Thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/cli/program.h"

namespace slipway::eraft::cli {

// A program for one run.
class EraftCtl {
 public:
  explicit EraftCtl(const std::string& version);
  ~EraftCtl();
  base::cli::Program& program() { return *program_; }

 private:
  std::unique_ptr<base::cli::Program> program_;
};

// Exit codes (spec 6.3): 1 refused or failed, 2 usage, 3 unreachable or timed out, 4 corruption.
int ExitCodeOf(const absl::Status& status);

}  // namespace slipway::eraft::cli
