// What the commands of kzg share: global options, the setup, inputs and outputs.
// Thread-compatible.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cli/program.h"
#include "kzg/cli/kzg_program.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/types.h"
#include "kzg/setup/load.h"

namespace slipway::kzg::cli {

// Global options as they were given; lives as long as the program.
struct Context {
  Machine machine;
  std::string setup_path;
  std::string precompute = "auto";
  std::string cache_dir;
  std::string table_check = "full";
  std::string cpu;
  int threads = 0;  // 0: as many as the machine has

  // Where the setup is: --setup, KZG_TRUSTED_SETUP, beside the program, /usr/share. NotFound says
  // where it was looked for and what to do.
  absl::StatusOr<std::string> FindSetup(base::World& world) const;
  // Where tables are kept: --cache-dir, else $XDG_CACHE_HOME or ~/.cache, slipway/kzg; empty:
  // nowhere.
  std::string CacheDir(base::World& world) const;
  absl::StatusOr<LoadOptions> Options(base::World& world) const;
  // The setup, with warnings for what had to be mended.
  absl::StatusOr<LoadedSetup> Load(base::cli::Invocation& in, Executor* executor) const;
  // Chooses the field back end that --cpu or KZG_CPU names.
  absl::Status ChooseCpu(base::World& world) const;
  std::unique_ptr<Executor> MakeExecutor(base::World& world) const;
};
using ContextPtr = std::shared_ptr<Context>;

// ---- Inputs ----

// The bytes that `text` names: "-" is standard input, "0x…" is hex, anything else a file of at most
// `limit` bytes.
absl::StatusOr<base::Bytes> ReadInput(const std::string& text, uint64_t limit, const Where& where,
                                      base::cli::Invocation& in);
// The same for a blob of exactly 131,072 bytes. INVALID_BLOB_SIZE.
absl::StatusOr<base::Bytes> ReadBlobInput(const std::string& text, base::cli::Invocation& in);
// Hex of `bytes` bytes. BAD_HEX, INVALID_LENGTH.
absl::StatusOr<base::Bytes> ReadHex(absl::string_view text, size_t bytes, const Where& where);

// ---- Outputs ----

// FailedPrecondition if `name` is there and no file: writing whole or not at all replaces names,
// and that would be a device's, or a link's.
absl::Status CheckReplaceable(base::Dir& dir, absl::string_view name, const std::string& path);
// Writes `data` to the file that a person named, whole or not at all.
absl::Status WriteOutput(const std::string& path, base::BytesView data, base::cli::Invocation& in);

// ---- Commands ----

void AddBlobCommands(base::cli::Program& program, const ContextPtr& context);    // commit, prove
void AddVerifyCommands(base::cli::Program& program, const ContextPtr& context);  // verify …
void AddCellCommands(base::cli::Program& program, const ContextPtr& context);    // cells, recover
void AddPackCommands(base::cli::Program& program, const ContextPtr& context);    // encode, decode
void AddSetupCommands(base::cli::Program& program, const ContextPtr& context);
void AddInspectCommand(base::cli::Program& program);
void AddVectorsCommand(base::cli::Program& program, const ContextPtr& context);
void AddBenchCommand(base::cli::Program& program, const ContextPtr& context);

}  // namespace slipway::kzg::cli
