// kzg setup verify, info, precompute, generate (K58, K75, K76).
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cli/command.h"
#include "base/cli/table.h"
#include "base/json/json.h"
#include "base/status.h"
#include "base/units.h"
#include "bls12_381/backend.h"
#include "kzg/cli/context.h"
#include "kzg/scheme/cells.h"
#include "kzg/scheme/generate.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/kzg.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Command;
using base::cli::Invocation;

std::string IdText(const SetupId& id) { return base::ToHex(id); }

// A binary file may bring tables: they must be the multiples of its points.
SetupCheck CheckTables(const Setup& setup, const ProvingTables& tables, Executor* executor) {
  const auto right = ProvingTables::Build(setup, tables.plan(), executor);
  const ProvingTables::Entries& ours = right->entries();
  const ProvingTables::Entries& theirs = tables.entries();
  const bool ok = ours.blob == theirs.blob && ours.cell == theirs.cell && ours.lane == theirs.lane;
  return {.name = "tables", .ok = ok, .detail = ok ? "" : "they are not multiples of the points"};
}

absl::Status RunVerify(const Context& context, Invocation& in) {
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(LoadOptions options, context.Options(in.world));
  options.precompute = Precompute::kAuto;  // the tables of the file itself, if it has any
  options.cache_dir.clear();
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded,
                           LoadSetup(in.world.files, options, executor.get()));
  // A binary file says which id it has; its points say which they have. Decoding them anew checks
  // each for its curve and its subgroup, too.
  const base::Bytes bytes = EncodeSetup(loaded.setup->points(), executor.get());
  SLIPWAY_ASSIGN_OR_RETURN(SetupPoints points, DecodeSetup(bytes, executor.get()));
  const SetupId id = SetupIdOf(bytes);
  const auto setup = Setup::Make(std::move(points), id);
  Bytes32 seed;
  in.world.random.Fill(absl::MakeSpan(seed));
  std::vector<SetupCheck> checks = {{.name = "points", .ok = true, .detail = ""}};
  checks.push_back({.name = "id", .ok = id == loaded.setup->id(), .detail = ""});
  if (!checks.back().ok) checks.back().detail = "the file names another id than its points have";
  for (SetupCheck& check : VerifySetup(*setup, seed, executor.get())) {
    checks.push_back(std::move(check));
  }
  if (loaded.setup->tables() != nullptr) {
    checks.push_back(CheckTables(*setup, *loaded.setup->tables(), executor.get()));
  }
  bool ok = true;
  Json list = Json::MakeArray();
  for (const SetupCheck& check : checks) {
    ok = ok && check.ok;
    list.Append(
        Json::MakeObject({{"check", check.name}, {"ok", check.ok}, {"detail", check.detail}}));
    if (in.json) continue;
    in.streams.out << (check.ok ? "ok      " : "failed  ") << check.name << (check.ok ? "" : ": ")
                   << check.detail << "\n";
  }
  const bool ethereum = id == kEthereumSetupId;
  in.result = Json::MakeObject(
      {{"id", IdText(id)}, {"ethereum", ethereum}, {"valid", ok}, {"checks", std::move(list)}});
  if (!in.json) {
    in.streams.out << "id " << IdText(id) << (ethereum ? " (the Ethereum ceremony)" : "") << "\n";
  }
  if (!ok) in.exit_code = base::kExitFailure;
  return absl::OkStatus();
}

// Milliseconds of the fastest of a few commitments and cell proofs.
struct Measured {
  double build_ms = 0, commit_ms = 0, cells_ms = 0;
};

double MillisecondsOf(base::Clock& clock, absl::FunctionRef<void()> work) {
  const absl::Duration begin = clock.Monotonic();
  work();
  return absl::ToDoubleMilliseconds(clock.Monotonic() - begin);
}

absl::StatusOr<Measured> Measure(const Setup& setup, const base::Bytes& blob, base::Clock& clock,
                                 Executor* executor) {
  Measured m;
  absl::Status status;
  std::vector<Cell> cells(kCellsPerExtBlob);
  std::vector<Proof> proofs(kCellsPerExtBlob);
  for (int i = 0; i < 2; ++i) {
    const double commit_ms = MillisecondsOf(
        clock, [&] { status.Update(BlobToCommitment(blob, setup, executor).status()); });
    const double cells_ms = MillisecondsOf(clock, [&] {
      status.Update(ComputeCellsAndProofs(blob, absl::MakeSpan(cells), absl::MakeSpan(proofs),
                                          setup, executor));
    });
    if (i == 0 || commit_ms < m.commit_ms) m.commit_ms = commit_ms;
    if (i == 0 || cells_ms < m.cells_ms) m.cells_ms = cells_ms;
  }
  SLIPWAY_RETURN_IF_ERROR(status);
  return m;
}

base::Bytes SomeBlob(base::Random& random) {
  base::Bytes blob(kBytesPerBlob);
  random.Fill(absl::MakeSpan(blob));
  for (size_t i = 0; i < blob.size(); i += kBytesPerFieldElement) blob[i] &= 0x3f;
  return blob;
}

uint64_t TableBytes(const Setup& setup) {
  return setup.tables() == nullptr ? 0 : setup.tables()->plan().bytes();
}

absl::Status RunInfo(const Context& context, bool measure, Invocation& in) {
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const LoadOptions options, context.Options(in.world));
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  const SetupId& id = loaded.setup->id();
  const bool ethereum = id == kEthereumSetupId;
  const std::string backend(bls12_381::CpuBackendName(bls12_381::ActiveBackend()));
  in.result = Json::MakeObject({{"file", options.path},
                                {"id", IdText(id)},
                                {"ethereum", ethereum},
                                {"cpu", backend},
                                {"cache_dir", options.cache_dir},
                                {"tables_file", loaded.tables_file},
                                {"tables_bytes", TableBytes(*loaded.setup)}});
  base::cli::Table table({{"LEVEL"},
                          {"MEMORY", base::cli::Align::kRight},
                          {"BUILD", base::cli::Align::kRight},
                          {"COMMIT", base::cli::Align::kRight},
                          {"CELLS+PROOFS", base::cli::Align::kRight}});
  Json levels = Json::MakeArray();
  const base::Bytes blob = SomeBlob(in.world.random);
  for (const auto& [name, level_plan] : PrecomputeLevels()) {
    const std::optional<TablePlan>& plan = level_plan;  // a lambda captures it
    const uint64_t bytes = plan.has_value() ? plan->bytes() : 0;
    Json level = Json::MakeObject({{"level", name}, {"bytes", bytes}});
    std::vector<std::string> row = {name, base::FormatSize(bytes), "", "", ""};
    if (measure) {
      SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
      std::shared_ptr<const Setup> setup = loaded.setup->WithTables(nullptr);
      const double build_ms = MillisecondsOf(in.world.clock, [&] {
        if (!plan.has_value()) return;
        setup = setup->WithTables(ProvingTables::Build(*setup, *plan, executor.get()));
      });
      SLIPWAY_ASSIGN_OR_RETURN(const Measured m,
                               Measure(*setup, blob, in.world.clock, executor.get()));
      level.Set("build_ms", Json(build_ms));
      level.Set("commit_ms", Json(m.commit_ms));
      level.Set("cells_ms", Json(m.cells_ms));
      row[2] = absl::StrCat(static_cast<int>(build_ms), " ms");
      row[3] = absl::StrFormat("%.1f ms", m.commit_ms);
      row[4] = absl::StrFormat("%.1f ms", m.cells_ms);
    }
    levels.Append(std::move(level));
    table.AddRow(std::move(row));
  }
  in.result.Set("levels", std::move(levels));
  if (in.json) return absl::OkStatus();
  std::string tables = "none; `kzg setup precompute` builds them";
  if (const uint64_t bytes = TableBytes(*loaded.setup); bytes > 0) {
    const std::string& place = loaded.tables_file.empty() ? options.path : loaded.tables_file;
    tables = absl::StrCat(place, " (", base::FormatSize(bytes), ")");
  }
  in.streams.out << "file    " << options.path << "\nid      " << IdText(id)
                 << (ethereum ? " (the Ethereum ceremony)" : " (not the Ethereum ceremony)")
                 << "\ncpu     " << backend << "\ntables  " << tables << "\n\n"
                 << table.Render(in.streams);
  return absl::OkStatus();
}

struct PrecomputeOptions {
  std::string output;
};

absl::Status RunPrecompute(const Context& context, const PrecomputeOptions& o, Invocation& in) {
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(LoadOptions options, context.Options(in.world));
  if (!o.output.empty()) {
    // One file with everything, for an image or a package.
    if (options.precompute == Precompute::kAuto) options.precompute = Precompute::kNone;
    options.cache_dir.clear();
  } else if (options.precompute != Precompute::kBuild) {
    options.precompute = Precompute::kBuild;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded,
                           LoadSetup(in.world.files, options, executor.get()));
  for (const std::string& note : loaded.notes) in.Warn("cache", note);
  std::string file = loaded.tables_file;
  if (!o.output.empty()) {
    file = o.output;
    const auto [parent, name] = base::SplitPath(file);
    SLIPWAY_ASSIGN_OR_RETURN(
        const auto dir, in.world.files.MakeRoot(parent.empty() ? absl::string_view(".") : parent));
    SLIPWAY_RETURN_IF_ERROR(CheckReplaceable(*dir, name, file));
    SLIPWAY_RETURN_IF_ERROR(WriteSetupFile(*dir, name, *loaded.setup));
  } else if (file.empty()) {
    return absl::FailedPreconditionError(
        "precompute: the tables could not be kept, for the reason above; if another process is "
        "writing them, run this again, else give a --cache-dir that can be written");
  }
  const uint64_t bytes = TableBytes(*loaded.setup);
  in.result =
      Json::MakeObject({{"file", file}, {"table_bytes", bytes}, {"built", loaded.tables_built}});
  if (!in.json && !in.quiet) {
    in.streams.out << file << (loaded.tables_from_cache ? " is up to date" : "") << "\n";
  }
  return absl::OkStatus();
}

absl::Status RunGenerate(const Context& context, const std::optional<uint64_t>& seed,
                         const std::string& output, Invocation& in) {
  if (!seed.has_value() || output.empty()) {
    return absl::InvalidArgumentError(
        "generate: give --insecure-seed N and -o FILE; whoever knows N can forge every proof");
  }
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  const base::Bytes bytes = GenerateInsecureSetup(*seed, executor.get());
  const std::string digits = base::ToHex(bytes);
  std::string text = absl::StrCat(kSetupG1Points, "\n", kSetupG2Points, "\n");
  size_t at = 0;
  const auto append = [&](size_t count, size_t point_bytes) {
    for (size_t i = 0; i < count; ++i, at += 2 * point_bytes) {
      absl::StrAppend(&text, absl::string_view(digits).substr(at, 2 * point_bytes), "\n");
    }
  };
  append(kSetupG1Points, kBytesPerG1);
  append(kSetupG2Points, kBytesPerG2);
  append(kSetupG1Points, kBytesPerG1);
  SLIPWAY_RETURN_IF_ERROR(WriteOutput(output, base::AsBytes(text), in));
  const std::string id = IdText(SetupIdOf(bytes));
  in.Warn("insecure", "a setup for tests: whoever knows the seed can forge every proof over it");
  in.result = Json::MakeObject({{"file", output}, {"id", id}});
  if (!in.json) in.streams.out << output << "\nid " << id << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddSetupCommands(base::cli::Program& program, const ContextPtr& context) {
  program.AddGroup("setup", "The trusted setup and its tables");
  Command& verify = program.Add("setup verify", "Check every point, and that all belong together");
  verify.Description(
      "Exit code 0: the setup is sound. 1: a check failed, or there is no whole file. 2: what it "
      "holds "
      "is no setup.");
  verify.Example("kzg setup verify --setup trusted_setup.txt");
  verify.Run([context](Invocation& in) { return RunVerify(*context, in); });

  auto measure = std::make_shared<bool>(false);
  Command& info = program.Add("setup info", "Show the setup, and what each level of tables takes");
  info.Flag("--measure", measure.get(), "Build each level and time it here");
  info.Example("kzg setup info --measure");
  info.Run([context, measure](Invocation& in) { return RunInfo(*context, *measure, in); });

  auto p = std::make_shared<PrecomputeOptions>();
  Command& precompute = program.Add("setup precompute", "Build tables and keep them");
  precompute
      .Text(
          "--output,-o", "FILE", &p->output,
          "Write one binary setup file here instead: without tables, or with those of --precompute")
      .Completes(base::cli::ValueKind::kFile);
  precompute.Example("kzg setup precompute", "small tables in the cache of this user");
  precompute.Example("kzg setup precompute --setup trusted_setup.txt -o ethereum.tbl");
  precompute.Run([context, p](Invocation& in) { return RunPrecompute(*context, *p, in); });

  auto seed = std::make_shared<std::optional<uint64_t>>();
  auto output = std::make_shared<std::string>();
  Command& generate = program.Add("setup generate", "Make a setup for tests, which proves nothing");
  generate.Int("--insecure-seed", "N", seed.get(), 0, std::numeric_limits<int64_t>::max(),
               "The secret number follows from it");
  generate.Text("--output,-o", "FILE", output.get(), "Where to")
      .Completes(base::cli::ValueKind::kFile);
  generate.Example("kzg setup generate --insecure-seed 1 -o test_setup.txt");
  generate.Run([context, seed, output](Invocation& in) {
    return RunGenerate(*context, *seed, *output, in);
  });
}

}  // namespace slipway::kzg::cli
