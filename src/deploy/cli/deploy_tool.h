// The program deploy-tool: everything but main. Thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "base/cli/program.h"
#include "deploy/cli/context.h"
#include "deploy/cli/stores.h"

namespace slipway::deploy::cli {

// A program for one run, with its context.
class DeployTool {
 public:
  // `openers`: for stores of types that deploy does not know itself.
  explicit DeployTool(const std::string& version, StoreOpeners openers = {});
  ~DeployTool();
  base::cli::Program& program() { return *program_; }

 private:
  Context context_;
  std::unique_ptr<base::cli::Program> program_;
};

}  // namespace slipway::deploy::cli
