#include "kzg/cli/kzg_program.h"

#include <utility>

#include "base/status.h"
#include "kzg/cli/context.h"

namespace slipway::kzg::cli {
namespace {

constexpr int kThreadsMax = 256;

void AddGlobals(base::cli::Program& program, const ContextPtr& context) {
  base::cli::Command& globals = program.globals();
  globals.Text("--setup", "FILE", &context->setup_path, "Trusted setup: text, JSON or binary")
      .Completes(base::cli::ValueKind::kFile);
  globals.Int("--threads", "N", &context->threads, 1, kThreadsMax, "Threads; default: all cores");
  globals.Text("--precompute", "LEVEL", &context->precompute,
               "Tables: none, small, auto (those of the cache), or BLOB,CELL bits from 4 to 15");
  globals.Text("--cache-dir", "DIR", &context->cache_dir, "Where tables are kept")
      .Completes(base::cli::ValueKind::kDirectory);
  globals.Choice("--table-check", "HOW", &context->table_check, {"full", "header"},
                 "How much of a table file is checked before it is used");
  globals.Text("--cpu", "B", &context->cpu,
               "Arithmetic: portable, adx, ifma; default: the best of this machine");
  globals.Example("kzg commit blob.bin", "the commitment of one blob, as hex");
  globals.Example("kzg setup precompute", "build the tables that make proving fast, once");
  globals.Example("kzg cells blob.bin --proofs -o cells/ && kzg recover cells/ --blob again.bin");
}

}  // namespace

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return base::kExitOk;
    case absl::StatusCode::kInvalidArgument:
      return base::kExitUsage;
    default:
      return base::kExitFailure;
  }
}

KzgProgram::KzgProgram(const std::string& version, Machine machine) {
  base::cli::ProgramOptions options;
  options.version = version;
  options.exit_of = ExitCodeOf;
  program_ = std::make_unique<base::cli::Program>(
      "kzg", "KZG commitments and proofs over blobs (EIP-4844, EIP-7594).", std::move(options));
  auto context = std::make_shared<Context>();
  context->machine = std::move(machine);
  AddGlobals(*program_, context);
  program_->Before([context](base::cli::Invocation& in) { return context->ChooseCpu(in.world); });
  AddBlobCommands(*program_, context);
  AddVerifyCommands(*program_, context);
  AddCellCommands(*program_, context);
  AddPackCommands(*program_, context);
  AddSetupCommands(*program_, context);
  AddInspectCommand(*program_);
  AddVectorsCommand(*program_, context);
  AddBenchCommand(*program_, context);
}

KzgProgram::~KzgProgram() = default;

}  // namespace slipway::kzg::cli
