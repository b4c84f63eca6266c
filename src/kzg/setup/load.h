// Finds a setup and its tables wherever they are quickest to have. Thread-safe: free functions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/tables.h"
#include "kzg/setup/setup_file.h"

namespace slipway::kzg {

enum class Precompute : uint8_t {
  kNone,
  kAuto,   // tables of the cache, if they are there; else none
  kBuild,  // tables of the cache; built where they are not there
};

// The levels by name (K76): "none" without a plan, then by memory.
std::vector<std::pair<std::string, std::optional<TablePlan>>> PrecomputeLevels();

// "auto", the name of a level, or "BLOB,CELL": bits of the digits (K70). InvalidArgument names
// them.
absl::StatusOr<std::pair<Precompute, TablePlan>> ParsePrecompute(absl::string_view text);

struct LoadOptions {
  std::string path;       // of the setup: text, JSON or binary
  std::string cache_dir;  // of tables; empty: none
  Precompute precompute = Precompute::kAuto;
  TablePlan plan;  // of kBuild and kAuto
  DigestCheck check = DigestCheck::kFull;
  MapFile map = ReadImage;
  // Who runs this. Tables of the cache are believed only in files of this user or root that nobody
  // else may write.
  uint32_t uid = 0;
  // Tests have a quicker way.
  std::function<std::shared_ptr<const ProvingTables>(const Setup&, const TablePlan&, Executor*)>
      build = ProvingTables::Build;
};

struct LoadedSetup {
  std::shared_ptr<const Setup> setup;
  bool tables_from_cache = false;
  bool tables_built = false;
  std::string tables_file;  // where they came from or went to; empty: nowhere
  // What went wrong and was mended, one line each: for the person or the log.
  std::vector<std::string> notes;
};

// Loads the setup. kBuild: with tables; those that are not in the cache, or are damaged, of another
// setup, of another version or somebody else's there, are built and written to it, under its lock.
// A cache that cannot be written is a note. Errors: of reading and decoding `path`.
absl::StatusOr<LoadedSetup> LoadSetup(base::Files& files, const LoadOptions& options,
                                      Executor* executor);

}  // namespace slipway::kzg
