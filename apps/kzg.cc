// kzg: commitments and proofs over blobs.
#include <unistd.h>

#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "base/os/mapped_file.h"
#include "kzg/cli/kzg_program.h"
#include "main_parts.h"

using namespace slipway;  // NOLINT: a main

namespace {

absl::StatusOr<kzg::FileImage> Map(base::Files&, const std::string& path) {
  auto mapped = base::os::MappedFile::Open(path);
  if (!mapped.ok()) return mapped.status();
  const std::shared_ptr<const base::os::MappedFile> file = *std::move(mapped);
  return kzg::FileImage{file->bytes(), file, file->uid(), file->mode()};
}

int64_t CpuNanoseconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return int64_t{1'000'000'000} * used.tv_sec + used.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
  ToolMain tool_main;
  kzg::cli::KzgProgram tool(kVersion, {.map = Map, .uid = geteuid(), .cpu_ns = CpuNanoseconds});
  return tool_main.Run(tool.program(), argc, argv);
}
