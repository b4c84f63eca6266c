// kzg cells, kzg recover.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/cli/command.h"
#include "base/json/json.h"
#include "base/status.h"
#include "kzg/cli/cell_files.h"
#include "kzg/cli/context.h"
#include "kzg/scheme/cells.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/kzg.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Command;
using base::cli::Invocation;

// "0,5,64-127", ascending and without repetition in the result.
absl::StatusOr<std::vector<uint64_t>> ParseIndices(const std::string& text) {
  std::vector<bool> chosen(kCellsPerExtBlob);
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> ends =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    uint64_t first = 0;
    uint64_t last = 0;
    if (!absl::SimpleAtoi(ends.first, &first) ||
        !absl::SimpleAtoi(part.find('-') == absl::string_view::npos ? ends.first : ends.second,
                          &last) ||
        first > last || last >= kCellsPerExtBlob) {
      return InputError(kInvalidCellIndex,
                        absl::StrCat("read --indices: '", base::EscapeForTerminal(part),
                                     "': give numbers and ranges from 0 to 127, as 0,5,64-127"));
    }
    for (uint64_t i = first; i <= last; ++i) chosen[i] = true;
  }
  std::vector<uint64_t> indices;
  for (uint64_t i = 0; i < kCellsPerExtBlob; ++i) {
    if (chosen[i]) indices.push_back(i);
  }
  return indices;
}

struct CellsOptions {
  std::string input, indices = "0-127", output;
  bool proofs = false;
};

absl::Status RunCells(const Context& context, const CellsOptions& o, Invocation& in) {
  if (o.output.empty()) return absl::InvalidArgumentError("cells: -o DIR is missing");
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<uint64_t> indices, ParseIndices(o.indices));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, ReadBlobInput(o.input, in));
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  std::vector<Cell> cells(indices.size());
  std::vector<Proof> proofs(o.proofs ? indices.size() : 0);
  SLIPWAY_RETURN_IF_ERROR(ComputeSomeCells(blob, indices, absl::MakeSpan(cells),
                                           absl::MakeSpan(proofs), *loaded.setup, executor.get()));
  SLIPWAY_ASSIGN_OR_RETURN(const Commitment commitment,
                           BlobToCommitment(blob, *loaded.setup, executor.get()));
  SLIPWAY_RETURN_IF_ERROR(PrepareCellFolder(o.output, in));
  SLIPWAY_RETURN_IF_ERROR(WriteCellFolder(o.output, commitment, indices, cells, proofs, in));
  in.result = Json::MakeObject({{"directory", o.output},
                                {"commitment", EncodeHex(commitment)},
                                {"cells", static_cast<uint64_t>(cells.size())},
                                {"proofs", o.proofs}});
  if (!in.json) {
    in.streams.out << "commitment " << EncodeHex(commitment) << "\n"
                   << cells.size() << " cells in " << o.output << "\n";
  }
  return absl::OkStatus();
}

struct RecoverCommandOptions {
  std::string folder, blob;
  bool proofs = false;
  bool strict = true;
};

absl::Status RunRecover(const Context& context, const RecoverCommandOptions& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const CellFolder folder, ReadCellFolder(o.folder, in));
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  const std::vector<BytesView> given(folder.cells.begin(), folder.cells.end());
  std::vector<Cell> cells(kCellsPerExtBlob);
  // Proofs that are there would be lost with the list that names them.
  const bool with_proofs = o.proofs || !folder.proofs.empty();
  std::vector<Proof> proofs(with_proofs ? kCellsPerExtBlob : 0);
  SLIPWAY_RETURN_IF_ERROR(RecoverCells(folder.indices, given, {.strict = o.strict},
                                       absl::MakeSpan(cells), absl::MakeSpan(proofs), *loaded.setup,
                                       executor.get()));
  base::Bytes blob;
  for (size_t k = 0; k < kCellsPerBlob; ++k) {
    blob.insert(blob.end(), cells[k].begin(), cells[k].end());
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Commitment commitment,
                           BlobToCommitment(blob, *loaded.setup, executor.get()));
  if (!folder.commitment.empty() &&
      !std::equal(commitment.begin(), commitment.end(), folder.commitment.begin(),
                  folder.commitment.end())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "recover ", o.folder, ": the cells give a blob with the commitment ", EncodeHex(commitment),
        ", not the one that cells.json names; a cell is wrong"));
  }
  std::vector<uint64_t> all(kCellsPerExtBlob);
  for (uint64_t i = 0; i < all.size(); ++i) all[i] = i;
  SLIPWAY_RETURN_IF_ERROR(WriteCellFolder(folder.path, commitment, all, cells, proofs, in));
  if (!o.blob.empty()) SLIPWAY_RETURN_IF_ERROR(WriteOutput(o.blob, blob, in));
  const uint64_t recovered = kCellsPerExtBlob - folder.indices.size();
  in.result = Json::MakeObject({{"commitment", EncodeHex(commitment)},
                                {"given", static_cast<uint64_t>(folder.indices.size())},
                                {"recovered", recovered},
                                {"proofs", with_proofs}});
  if (!in.json) {
    in.streams.out << "commitment " << EncodeHex(commitment) << "\n"
                   << recovered << " cells recovered from " << folder.indices.size() << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddCellCommands(base::cli::Program& program, const ContextPtr& context) {
  auto c = std::make_shared<CellsOptions>();
  Command& cells = program.Add("cells", "Write the cells of a blob, and their proofs");
  cells.Argument("BLOB", &c->input, "File, - or 0x… of 131072 bytes")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  cells.Flag("--proofs", &c->proofs, "With a proof for each cell");
  cells.Text("--indices", "LIST", &c->indices, "Which: numbers and ranges, as 0,5,64-127");
  cells.Text("--output,-o", "DIR", &c->output, "Where to: cell-NNN.bin, proofs.bin, cells.json")
      .Completes(base::cli::ValueKind::kDirectory);
  cells.Example("kzg cells blob.bin --proofs -o cells/");
  cells.Run([context, c](Invocation& in) { return RunCells(*context, *c, in); });

  auto r = std::make_shared<RecoverCommandOptions>();
  Command& recover = program.Add("recover", "Make the missing cells from at least 64");
  recover.Argument("DIR", &r->folder, "Folder of cell-NNN.bin; the missing ones are written")
      .Required()
      .Completes(base::cli::ValueKind::kDirectory);
  recover.Flag("--proofs", &r->proofs, "Write the proofs of all cells, too, where there were none");
  recover.Switch("--strict", &r->strict, "Refuse cells that are not of one blob");
  recover.Text("--blob", "FILE", &r->blob, "Write the blob, too")
      .Completes(base::cli::ValueKind::kFile);
  recover.Example("kzg recover cells/ --blob blob.bin");
  recover.Run([context, r](Invocation& in) { return RunRecover(*context, *r, in); });
}

}  // namespace slipway::kzg::cli
