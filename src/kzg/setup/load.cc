#include "kzg/setup/load.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/temp_files.h"
#include "kzg/setup/setup_text.h"

namespace slipway::kzg {
namespace {

// A setup's id, and the setup itself once somebody has to decode it.
struct Source {
  SetupId id{};
  base::Bytes bytes;                   // of a text; empty when `setup` is there
  std::shared_ptr<const Setup> setup;  // of a binary file
};

absl::StatusOr<Source> ReadSource(base::Files& files, const LoadOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(FileImage image, options.map(files, options.path));
  Source source;
  if (IsSetupFile(image.bytes)) {
    SLIPWAY_ASSIGN_OR_RETURN(source.setup,
                             ParseSetupFile(std::move(image), options.path, options.check));
    source.id = source.setup->id();
    return source;
  }
  SLIPWAY_ASSIGN_OR_RETURN(source.bytes, ParseSetup(base::AsText(image.bytes), options.path));
  source.id = SetupIdOf(source.bytes);
  return source;
}

absl::StatusOr<std::shared_ptr<const Setup>> Decode(Source source, Executor* executor) {
  if (source.setup != nullptr) return std::move(source.setup);
  SLIPWAY_ASSIGN_OR_RETURN(SetupPoints points, DecodeSetup(source.bytes, executor));
  return Setup::Make(std::move(points), source.id);
}

// Nothing in a file binds its tables to the setup: a stranger's could hold anything, and right
// digests.
absl::Status CheckOwner(const FileImage& image, const std::string& path, uint32_t uid) {
  if (SLIPWAY_MUTANT("kzg-cache-of-anybody")) return absl::OkStatus();
  constexpr uint32_t kOthersWrite = 022;
  if (image.uid != uid && image.uid != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        "read setup file ", path, ": it belongs to another user (uid ", image.uid, ")"));
  }
  if ((image.mode & kOthersWrite) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("read setup file ", path, ": others may write it"));
  }
  return absl::OkStatus();
}

// The setup in the cache file, with tables of that plan. NotFound: there is none.
absl::StatusOr<std::shared_ptr<const Setup>> ReadCached(base::Files& files, const std::string& path,
                                                        const SetupId& id,
                                                        const LoadOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(FileImage image, options.map(files, path));
  SLIPWAY_RETURN_IF_ERROR(CheckOwner(image, path, options.uid));
  SLIPWAY_ASSIGN_OR_RETURN(std::shared_ptr<const Setup> setup,
                           ParseSetupFile(std::move(image), path, options.check));
  if (setup->id() != id) {
    return absl::FailedPreconditionError(
        absl::StrCat("read setup file ", path, ": it is of another setup (",
                     base::ToHex(BytesView(setup->id()).subspan(0, 8)), ")"));
  }
  if (setup->tables() == nullptr || !(setup->tables()->plan() == options.plan)) {
    return absl::FailedPreconditionError(
        absl::StrCat("read setup file ", path, ": its tables are of other sizes"));
  }
  return setup;
}

absl::Status WriteCached(base::Files& files, const LoadOptions& options, const Setup& setup) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, files.MakeRoot(options.cache_dir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto lock, dir->Open("kzg.lock", {.write = true, .create = true}));
  SLIPWAY_RETURN_IF_ERROR(lock->TryLock());
  // What a killed writer left; its lock is gone with it.
  SLIPWAY_RETURN_IF_ERROR(base::RemoveStaleTemps(*dir).status());
  return WriteSetupFile(*dir, SetupFileName(setup.id(), &setup.tables()->plan()), setup);
}

}  // namespace

std::vector<std::pair<std::string, std::optional<TablePlan>>> PrecomputeLevels() {
  return {{"none", std::nullopt}, {"small", TablePlan()}};
}

absl::StatusOr<std::pair<Precompute, TablePlan>> ParsePrecompute(absl::string_view text) {
  if (text == "auto") return std::pair(Precompute::kAuto, TablePlan());
  std::vector<std::string> names = {"auto"};
  for (const auto& [name, plan] : PrecomputeLevels()) {
    names.push_back(name);
    if (name != text) continue;
    return plan.has_value() ? std::pair(Precompute::kBuild, *plan)
                            : std::pair(Precompute::kNone, TablePlan());
  }
  const std::pair<absl::string_view, absl::string_view> bits =
      absl::StrSplit(text, absl::MaxSplits(',', 1));
  constexpr int kBitsMin = 4;
  constexpr int kBitsMax = 15;
  TablePlan plan;
  const bool numbers = absl::SimpleAtoi(bits.first, &plan.blob_bits) &&
                       absl::SimpleAtoi(bits.second, &plan.cell_bits);
  if (numbers && std::min(plan.blob_bits, plan.cell_bits) >= kBitsMin &&
      std::max(plan.blob_bits, plan.cell_bits) <= kBitsMax) {
    return std::pair(Precompute::kBuild, plan);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "choose tables: '", base::EscapeForTerminal(text), "': give ", absl::StrJoin(names, ", "),
      ", or BLOB,CELL: bits from ", kBitsMin, " to ", kBitsMax));
}

absl::StatusOr<LoadedSetup> LoadSetup(base::Files& files, const LoadOptions& options,
                                      Executor* executor) {
  SLIPWAY_ASSIGN_OR_RETURN(Source source, ReadSource(files, options));
  LoadedSetup loaded;
  const bool wants_tables = options.precompute != Precompute::kNone;
  if (wants_tables && source.setup != nullptr && source.setup->tables() != nullptr &&
      source.setup->tables()->plan() == options.plan) {
    loaded.setup = std::move(source.setup);
    loaded.tables_file = options.path;
    loaded.tables_from_cache = true;
    return loaded;
  }
  const std::string cached =
      options.cache_dir.empty()
          ? ""
          : base::JoinPath(options.cache_dir, SetupFileName(source.id, &options.plan));
  bool build = options.precompute == Precompute::kBuild;
  if (wants_tables && !cached.empty()) {
    absl::StatusOr<std::shared_ptr<const Setup>> setup =
        ReadCached(files, cached, source.id, options);
    if (setup.ok()) {
      loaded.setup = *std::move(setup);
      loaded.tables_file = cached;
      loaded.tables_from_cache = true;
      return loaded;
    }
    if (!absl::IsNotFound(setup.status())) {
      loaded.notes.push_back(
          absl::StrCat(setup.status().message(), "; the tables are built again"));
      build = true;  // somebody wanted them once
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(loaded.setup, Decode(std::move(source), executor));
  if (!wants_tables || !build) {
    // A binary file may bring tables that nobody asked for.
    if (!wants_tables) loaded.setup = loaded.setup->WithTables(nullptr);
    return loaded;
  }
  loaded.setup = loaded.setup->WithTables(options.build(*loaded.setup, options.plan, executor));
  loaded.tables_built = true;
  if (cached.empty()) return loaded;
  const absl::Status written = WriteCached(files, options, *loaded.setup);
  if (written.ok()) {
    loaded.tables_file = cached;
  } else {
    loaded.notes.push_back(
        absl::StrCat("the tables are not kept in ", options.cache_dir, ": ", written.message()));
  }
  return loaded;
}

}  // namespace slipway::kzg
