// kzg bench: nanoseconds a call of every function, under the names and over the inputs of the
// peer's benchmark (spec 4.2).
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/cli/command.h"
#include "base/cli/table.h"
#include "base/digest/sha256.h"
#include "base/json/json.h"
#include "base/status.h"
#include "bls12_381/backend.h"
#include "kzg/cli/context.h"
#include "kzg/scheme/cells.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/kzg.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Invocation;

constexpr size_t kBlobs = 64;
constexpr size_t kRows = 32;
constexpr size_t kRunsMin = 5;
constexpr size_t kRunsMax = 20000;
constexpr uint64_t kPeerBytesMax = 1 << 20;

// Element j of blob i is SHA-256("slipway-bench" || u32be(i) || u32be(j)) with the two top bits
// cleared: the same in every implementation.
base::Bytes BenchBlob(uint32_t i) {
  base::Bytes blob;
  blob.reserve(kBytesPerBlob);
  for (uint32_t j = 0; j < kFieldElementsPerBlob; ++j) {
    base::Sha256 hash;
    hash.Update(base::AsBytes("slipway-bench"));
    std::array<uint8_t, 8> seed;
    for (int byte = 0; byte < 4; ++byte) {
      seed[byte] = static_cast<uint8_t>(i >> (24 - 8 * byte));
      seed[4 + byte] = static_cast<uint8_t>(j >> (24 - 8 * byte));
    }
    hash.Update(seed);
    base::Sha256Digest digest = hash.Finish();
    digest[0] &= 0x3f;
    blob.insert(blob.end(), digest.begin(), digest.end());
  }
  return blob;
}

struct BenchOptions {
  std::string ops, against;
  int64_t min_ms = 1500;
};

// One function under its peer's name. `run` returns what it computed, as bytes to compare.
struct Operation {
  std::string name;
  std::function<absl::StatusOr<base::Bytes>()> run;
};

struct Row {
  std::vector<Cell> cells = std::vector<Cell>(kCellsPerExtBlob);
  std::vector<Proof> proofs = std::vector<Proof>(kCellsPerExtBlob);
};

template <class Array>
void Append(base::Bytes& bytes, const Array& array) {
  bytes.insert(bytes.end(), array.begin(), array.end());
}
base::Bytes Join(const Row& row) {
  base::Bytes bytes;
  for (const Cell& cell : row.cells) Append(bytes, cell);
  for (const Proof& proof : row.proofs) Append(bytes, proof);
  return bytes;
}
absl::StatusOr<base::Bytes> Verdict(const absl::StatusOr<bool>& valid) {
  SLIPWAY_RETURN_IF_ERROR(valid.status());
  if (!*valid) return absl::InternalError("bench: a right proof was called wrong");
  return base::Bytes{1};
}

// All inputs and the operations over them; as in the peer's bench.mjs.
class Suite {
 public:
  Suite(const Setup& setup, Executor* executor) : setup_(setup), executor_(executor) {}

  absl::Status Prepare() {
    for (uint32_t i = 0; i < kBlobs; ++i) {
      blobs_.push_back(BenchBlob(i));
      SLIPWAY_ASSIGN_OR_RETURN(const CommitmentAndProof both,
                               CommitAndProve(blobs_.back(), setup_, executor_));
      commitments_.push_back(both.commitment);
      proofs_.push_back(both.proof);
    }
    z_.assign(blobs_[0].begin() + 32, blobs_[0].begin() + 64);
    z_inside_.assign(32, 0);
    z_inside_[31] = 1;
    SLIPWAY_ASSIGN_OR_RETURN(opening_, ComputeProof(blobs_[0], z_, setup_, executor_));
    AddBlobOperations();
    AddCellOperations();
    AddCellVerifications();
    return absl::OkStatus();
  }

  const std::vector<Operation>& operations() const { return operations_; }

 private:
  void Add(std::string name, std::function<absl::StatusOr<base::Bytes>()> run) {
    operations_.push_back({std::move(name), std::move(run)});
  }

  void AddBlobOperations() {
    Add("blob_to_kzg_commitment", [this]() -> absl::StatusOr<base::Bytes> {
      SLIPWAY_ASSIGN_OR_RETURN(const Commitment c, BlobToCommitment(blobs_[0], setup_, executor_));
      return base::Bytes(c.begin(), c.end());
    });
    for (const bool inside : {false, true}) {
      Add(inside ? "compute_kzg_proof_in_domain" : "compute_kzg_proof",
          [this, inside]() -> absl::StatusOr<base::Bytes> {
            SLIPWAY_ASSIGN_OR_RETURN(
                const ProofAndY result,
                ComputeProof(blobs_[0], inside ? z_inside_ : z_, setup_, executor_));
            base::Bytes bytes;
            Append(bytes, result.proof);
            Append(bytes, result.y);
            return bytes;
          });
    }
    Add("verify_kzg_proof", [this] {
      return Verdict(VerifyProof(commitments_[0], z_, opening_.y, opening_.proof, setup_));
    });
    Add("compute_blob_kzg_proof", [this]() -> absl::StatusOr<base::Bytes> {
      SLIPWAY_ASSIGN_OR_RETURN(const Proof proof,
                               ComputeBlobProof(blobs_[0], commitments_[0], setup_, executor_));
      return base::Bytes(proof.begin(), proof.end());
    });
    Add("verify_blob_kzg_proof", [this] {
      return Verdict(VerifyBlobProof(blobs_[0], commitments_[0], proofs_[0], setup_, executor_));
    });
    for (const size_t n : {1, 2, 4, 8, 16, 32, 64}) {
      Add(absl::StrCat("verify_blob_kzg_proof_batch/", n), [this, n] {
        const std::vector<BytesView> blobs(blobs_.begin(), blobs_.begin() + n);
        const std::vector<BytesView> commitments(commitments_.begin(), commitments_.begin() + n);
        const std::vector<BytesView> proofs(proofs_.begin(), proofs_.begin() + n);
        return Verdict(VerifyBlobProofBatch(blobs, commitments, proofs, setup_, executor_));
      });
    }
  }

  void AddCellOperations() {
    Add("compute_cells", [this]() -> absl::StatusOr<base::Bytes> {
      Row row;
      row.proofs.clear();
      SLIPWAY_RETURN_IF_ERROR(
          ComputeCells(blobs_[0], absl::MakeSpan(row.cells), setup_, executor_));
      return Join(row);
    });
    Add("compute_cells_and_kzg_proofs", [this]() -> absl::StatusOr<base::Bytes> {
      Row row;
      SLIPWAY_RETURN_IF_ERROR(ComputeRow(0, row));
      return Join(row);
    });
    std::vector<uint64_t> even;
    std::vector<uint64_t> first;
    std::vector<uint64_t> rest;
    for (uint64_t i = 0; i < kCellsPerExtBlob; ++i) {
      if (i % 2 == 0) even.push_back(i);
      if (i < kCellsPerBlob) first.push_back(i);
      if (i > 0) rest.push_back(i);
    }
    AddRecovery("half_every_other", even);
    AddRecovery("first_half", first);
    AddRecovery("one_missing", rest);
  }

  void AddRecovery(absl::string_view name, const std::vector<uint64_t>& indices) {
    Add(absl::StrCat("recover_cells_and_kzg_proofs/", name),
        [this, indices]() -> absl::StatusOr<base::Bytes> {
          SLIPWAY_RETURN_IF_ERROR(NeedRows(1));
          std::vector<BytesView> given;
          given.reserve(indices.size());
          for (const uint64_t index : indices) given.emplace_back(rows_[0].cells[index]);
          Row row;
          SLIPWAY_RETURN_IF_ERROR(RecoverCells(indices, given, {}, absl::MakeSpan(row.cells),
                                               absl::MakeSpan(row.proofs), setup_, executor_));
          return Join(row);
        });
  }

  // Cells of rows [0, rows) and columns [first, first + columns).
  void AddCellVerification(absl::string_view name, size_t rows, size_t first, size_t columns) {
    Add(absl::StrCat("verify_cell_kzg_proof_batch/", name),
        [this, rows, first, columns]() -> absl::StatusOr<base::Bytes> {
          SLIPWAY_RETURN_IF_ERROR(NeedRows(rows));
          std::vector<BytesView> commitments;
          std::vector<uint64_t> indices;
          std::vector<BytesView> cells;
          std::vector<BytesView> proofs;
          for (size_t r = 0; r < rows; ++r) {
            for (size_t c = first; c < first + columns; ++c) {
              commitments.emplace_back(commitments_[r]);
              indices.push_back(c);
              cells.emplace_back(rows_[r].cells[c]);
              proofs.emplace_back(rows_[r].proofs[c]);
            }
          }
          return Verdict(VerifyCellBatch({commitments, indices, cells, proofs}, setup_, executor_));
        });
  }

  void AddCellVerifications() {
    AddCellVerification("1_cell", 1, 0, 1);
    AddCellVerification("1_row_128", 1, 0, kCellsPerExtBlob);
    AddCellVerification("1_column_6_rows", 6, 5, 1);
    AddCellVerification("1_column_32_rows", kRows, 5, 1);
    AddCellVerification("6_rows_x_128", 6, 0, kCellsPerExtBlob);
  }

  absl::Status ComputeRow(size_t i, Row& row) {
    return ComputeCellsAndProofs(blobs_[i], absl::MakeSpan(row.cells), absl::MakeSpan(row.proofs),
                                 setup_, executor_);
  }
  absl::Status NeedRows(size_t count) {
    while (rows_.size() < count) {
      Row row;
      SLIPWAY_RETURN_IF_ERROR(ComputeRow(rows_.size(), row));
      rows_.push_back(std::move(row));
    }
    return absl::OkStatus();
  }

  const Setup& setup_;
  Executor* const executor_;
  std::vector<base::Bytes> blobs_;
  std::vector<Commitment> commitments_;
  std::vector<Proof> proofs_;
  base::Bytes z_, z_inside_;
  ProofAndY opening_;
  std::vector<Row> rows_;
  std::vector<Operation> operations_;
};

struct Timing {
  int64_t median_ns = 0, min_ns = 0, cpu_ns = 0;
  size_t runs = 0;
  std::string sha256;
};

absl::StatusOr<Timing> Time(const Operation& operation, const Context& context, int64_t min_ms,
                            Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes output, operation.run());  // also warms up
  Timing timing;
  timing.sha256 = base::ToHex(base::Sha256Of(output));
  std::vector<int64_t> times;
  const absl::Duration end = in.world.clock.Monotonic() + absl::Milliseconds(min_ms);
  const int64_t cpu_begin = context.machine.cpu_ns ? context.machine.cpu_ns() : 0;
  absl::Duration now = in.world.clock.Monotonic();
  do {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    const absl::Duration begin = now;
    SLIPWAY_RETURN_IF_ERROR(operation.run().status());
    now = in.world.clock.Monotonic();
    times.push_back(absl::ToInt64Nanoseconds(now - begin));
  } while ((now < end || times.size() < kRunsMin) && times.size() < kRunsMax);
  const int64_t cpu_end = context.machine.cpu_ns ? context.machine.cpu_ns() : 0;
  std::sort(times.begin(), times.end());
  timing.runs = times.size();
  timing.median_ns = times[times.size() / 2];
  timing.min_ns = times.front();
  timing.cpu_ns = (cpu_end - cpu_begin) / static_cast<int64_t>(times.size());
  return timing;
}

// The processor time of each function in the peer's JSON.
absl::StatusOr<Json> ReadPeer(const std::string& path, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string text,
                           base::ReadUserFile(in.world.files, path, kPeerBytesMax));
  SLIPWAY_ASSIGN_OR_RETURN(const Json json, base::ParseJson(text));
  const Json* results = json.Find("results");
  if (results != nullptr && results->is_object()) return *results;
  return absl::InvalidArgumentError(
      absl::StrCat("read ", path, ": it is no output of a benchmark: it has no \"results\""));
}

std::string Milliseconds(int64_t ns) {
  return absl::StrFormat("%.3f ms", static_cast<double>(ns) / 1e6);
}

absl::Status CheckNames(const std::vector<std::string>& names,
                        const std::vector<Operation>& operations) {
  std::vector<std::string> known;
  known.reserve(operations.size());
  for (const Operation& operation : operations) known.push_back(operation.name);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat("bench: no function is called '",
                                                   base::EscapeForTerminal(name), "'; there are ",
                                                   absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::Status RunBench(const Context& context, const BenchOptions& o, Invocation& in) {
  Json peer;
  if (!o.against.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(peer, ReadPeer(o.against, in));
  }
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  const absl::Duration begin = in.world.clock.Monotonic();
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  const int64_t load_ns = absl::ToInt64Nanoseconds(in.world.clock.Monotonic() - begin);
  Suite suite(*loaded.setup, executor.get());
  SLIPWAY_RETURN_IF_ERROR(suite.Prepare());
  const std::vector<std::string> only = absl::StrSplit(o.ops, ',', absl::SkipEmpty());
  SLIPWAY_RETURN_IF_ERROR(CheckNames(only, suite.operations()));
  Json results = Json::MakeObject();
  base::cli::Table table({{"FUNCTION"},
                          {"CPU", base::cli::Align::kRight},
                          {"MEDIAN", base::cli::Align::kRight},
                          {"RUNS", base::cli::Align::kRight},
                          {"PEER/OURS", base::cli::Align::kRight}});
  for (const Operation& operation : suite.operations()) {
    if (!only.empty() && std::find(only.begin(), only.end(), operation.name) == only.end()) {
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(const Timing t, Time(operation, context, o.min_ms, in));
    Json result = Json::MakeObject({{"median_ns", t.median_ns},
                                    {"min_ns", t.min_ns},
                                    {"cpu_ns", t.cpu_ns},
                                    {"runs", static_cast<uint64_t>(t.runs)},
                                    {"sha256", t.sha256}});
    std::string ratio;
    const Json* theirs = peer.Find(operation.name);
    const Json* their_cpu = theirs == nullptr ? nullptr : theirs->Find("cpu_ns");
    if (their_cpu != nullptr && t.cpu_ns > 0) {
      const double value = their_cpu->AsDouble().value_or(0) / static_cast<double>(t.cpu_ns);
      result.Set("ratio", Json(value));
      ratio = absl::StrFormat("%.2f", value);
    }
    table.AddRow({operation.name, Milliseconds(t.cpu_ns), Milliseconds(t.median_ns),
                  absl::StrCat(t.runs), ratio});
    results.Set(operation.name, std::move(result));
  }
  const std::string backend(bls12_381::CpuBackendName(bls12_381::ActiveBackend()));
  in.result = Json::MakeObject(
      {{"peer", "slipway"},
       {"cpu", backend},
       {"threads", executor == nullptr ? 1 : executor->width()},
       {"table_bytes", static_cast<uint64_t>(loaded.setup->tables() == nullptr
                                                 ? 0
                                                 : loaded.setup->tables()->plan().bytes())},
       {"load_ns", load_ns},
       {"results", std::move(results)}});
  if (!in.json) {
    in.streams.out << "back end " << backend << ", load " << Milliseconds(load_ns) << "\n"
                   << table.Render(in.streams);
  }
  return absl::OkStatus();
}

}  // namespace

void AddBenchCommand(base::cli::Program& program, const ContextPtr& context) {
  auto o = std::make_shared<BenchOptions>();
  base::cli::Command& bench = program.Add("bench", "Time every function on this machine");
  bench.Text("--ops", "A,B", &o->ops, "Only these functions");
  bench.Int("--min-ms", "N", &o->min_ms, 0, 600'000, "How long each is repeated, at least");
  bench.Text("--against", "FILE", &o->against, "JSON of the peer's benchmark: prints ratios")
      .Completes(base::cli::ValueKind::kFile);
  bench.Example("kzg bench --threads 1 --ops blob_to_kzg_commitment");
  bench.Run([context, o](Invocation& in) { return RunBench(*context, *o, in); });
}

}  // namespace slipway::kzg::cli
