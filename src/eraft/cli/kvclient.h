// The program kvclient: everything but main (E6, E29, spec 6.3). Thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "base/cli/program.h"

namespace slipway::eraft::cli {

// A program for one run.
class KvClientProgram {
 public:
  explicit KvClientProgram(const std::string& version);
  ~KvClientProgram();
  base::cli::Program& program() { return *program_; }

 private:
  struct Flags;
  std::unique_ptr<Flags> flags_;
  std::unique_ptr<base::cli::Program> program_;
};

}  // namespace slipway::eraft::cli
