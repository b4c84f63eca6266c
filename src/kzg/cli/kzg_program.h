// The program kzg: everything but main. Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/cli/program.h"
#include "kzg/setup/setup_file.h"

namespace slipway::kzg::cli {

// What main brings along, as tests do not.
struct Machine {
  MapFile map = ReadImage;
  uint32_t uid = 0;  // who runs it: whose tables are believed
  // Nanoseconds of processor time that this process has used so far; null: `bench` tells wall time
  // only.
  std::function<int64_t()> cpu_ns;
};

// A program for one run.
class KzgProgram {
 public:
  explicit KzgProgram(const std::string& version, Machine machine = {});
  ~KzgProgram();
  base::cli::Program& program() { return *program_; }

 private:
  std::unique_ptr<base::cli::Program> program_;
};

// Exit codes (spec 6.7): 1 a wrong proof or a failure, 2 usage or malformed input.
int ExitCodeOf(const absl::Status& status);

}  // namespace slipway::kzg::cli
