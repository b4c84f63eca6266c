#include "kzg/cli/vectors.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/config/tree.h"
#include "base/status.h"
#include "kzg/scheme/cells.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/kzg.h"

namespace slipway::kzg::cli {
namespace {

using base::ConfigNode;

// What a call returned: its values as text, lists within lists flattened.
using Values = std::vector<std::string>;

// A list of byte strings, with views of them.
struct ByteList {
  std::vector<base::Bytes> bytes;
  std::vector<BytesView> views;
};

// The inputs of one case. A missing key is a defect of the case: NotFound, never InvalidArgument.
class Input {
 public:
  explicit Input(const ConfigNode& node) : node_(node) {}

  absl::StatusOr<base::Bytes> Bytes(absl::string_view key) const {
    SLIPWAY_ASSIGN_OR_RETURN(const ConfigNode* value, Get(key));
    return DecodeHex(value->text, {key});
  }
  absl::StatusOr<ByteList> List(absl::string_view key) const {
    SLIPWAY_ASSIGN_OR_RETURN(const ConfigNode* value, Get(key));
    ByteList list;
    for (size_t i = 0; i < value->items.size(); ++i) {
      SLIPWAY_ASSIGN_OR_RETURN(base::Bytes bytes, DecodeItem(value->items[i], {key, i}));
      list.bytes.push_back(std::move(bytes));
    }
    for (const base::Bytes& bytes : list.bytes) list.views.emplace_back(bytes);
    return list;
  }
  absl::StatusOr<std::vector<uint64_t>> Numbers(absl::string_view key) const {
    SLIPWAY_ASSIGN_OR_RETURN(const ConfigNode* value, Get(key));
    std::vector<uint64_t> numbers(value->items.size());
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (!absl::SimpleAtoi(value->items[i].text, &numbers[i])) {
        return InputError(kInvalidCellIndex, absl::StrCat(key, " ", i, " is no number"));
      }
    }
    return numbers;
  }

 private:
  absl::StatusOr<const ConfigNode*> Get(absl::string_view key) const {
    const ConfigNode* value = node_.Find(key);
    if (value != nullptr) return value;
    return absl::NotFoundError(absl::StrCat("the case has no input '", key, "'"));
  }
  // A string, or a list of strings that stand for their concatenation.
  static absl::StatusOr<base::Bytes> DecodeItem(const ConfigNode& node, const Where& where) {
    if (node.kind != ConfigNode::Kind::kList) return DecodeHex(node.text, where);
    base::Bytes all;
    for (const ConfigNode& item : node.items) {
      SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes bytes, DecodeHex(item.text, where));
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    return all;
  }

  const ConfigNode& node_;
};

struct Call {
  Input in;
  const Setup& setup;
  Executor* executor;
};

Values ToValues(bool value) { return {value ? "true" : "false"}; }
template <class Array>
void Append(Values& values, const Array& bytes) {
  values.push_back(EncodeHex(bytes));
}

absl::StatusOr<Values> Commit(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, call.in.Bytes("blob"));
  SLIPWAY_ASSIGN_OR_RETURN(const Commitment c, BlobToCommitment(blob, call.setup, call.executor));
  return Values{EncodeHex(c)};
}

absl::StatusOr<Values> Prove(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, call.in.Bytes("blob"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes z, call.in.Bytes("z"));
  SLIPWAY_ASSIGN_OR_RETURN(const ProofAndY result,
                           ComputeProof(blob, z, call.setup, call.executor));
  return Values{EncodeHex(result.proof), EncodeHex(result.y)};
}

absl::StatusOr<Values> ProveBlob(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, call.in.Bytes("blob"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes commitment, call.in.Bytes("commitment"));
  SLIPWAY_ASSIGN_OR_RETURN(const Proof proof,
                           ComputeBlobProof(blob, commitment, call.setup, call.executor));
  return Values{EncodeHex(proof)};
}

absl::StatusOr<Values> Verify(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes commitment, call.in.Bytes("commitment"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes z, call.in.Bytes("z"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes y, call.in.Bytes("y"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes proof, call.in.Bytes("proof"));
  SLIPWAY_ASSIGN_OR_RETURN(const bool valid, VerifyProof(commitment, z, y, proof, call.setup));
  return ToValues(valid);
}

absl::StatusOr<Values> VerifyBlob(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, call.in.Bytes("blob"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes commitment, call.in.Bytes("commitment"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes proof, call.in.Bytes("proof"));
  SLIPWAY_ASSIGN_OR_RETURN(const bool valid,
                           VerifyBlobProof(blob, commitment, proof, call.setup, call.executor));
  return ToValues(valid);
}

absl::StatusOr<Values> VerifyBlobs(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList blobs, call.in.List("blobs"));
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList commitments, call.in.List("commitments"));
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList proofs, call.in.List("proofs"));
  SLIPWAY_ASSIGN_OR_RETURN(const bool valid,
                           VerifyBlobProofBatch(blobs.views, commitments.views, proofs.views,
                                                call.setup, call.executor));
  return ToValues(valid);
}

absl::StatusOr<Values> Challenge(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, call.in.Bytes("blob"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes commitment, call.in.Bytes("commitment"));
  SLIPWAY_ASSIGN_OR_RETURN(const Bytes32 challenge, ComputeChallenge(blob, commitment));
  return Values{EncodeHex(challenge)};
}

absl::StatusOr<Values> Cells(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, call.in.Bytes("blob"));
  std::vector<Cell> cells(kCellsPerExtBlob);
  SLIPWAY_RETURN_IF_ERROR(ComputeCells(blob, absl::MakeSpan(cells), call.setup, call.executor));
  Values values;
  for (const Cell& cell : cells) Append(values, cell);
  return values;
}

Values CellsAndProofs(const std::vector<Cell>& cells, const std::vector<Proof>& proofs) {
  Values values;
  for (const Cell& cell : cells) Append(values, cell);
  for (const Proof& proof : proofs) Append(values, proof);
  return values;
}

absl::StatusOr<Values> CellsProofs(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, call.in.Bytes("blob"));
  std::vector<Cell> cells(kCellsPerExtBlob);
  std::vector<Proof> proofs(kCellsPerExtBlob);
  SLIPWAY_RETURN_IF_ERROR(ComputeCellsAndProofs(blob, absl::MakeSpan(cells), absl::MakeSpan(proofs),
                                                call.setup, call.executor));
  return CellsAndProofs(cells, proofs);
}

absl::StatusOr<Values> Recover(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<uint64_t> indices, call.in.Numbers("cell_indices"));
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList given, call.in.List("cells"));
  std::vector<Cell> cells(kCellsPerExtBlob);
  std::vector<Proof> proofs(kCellsPerExtBlob);
  SLIPWAY_RETURN_IF_ERROR(RecoverCells(indices, given.views, {}, absl::MakeSpan(cells),
                                       absl::MakeSpan(proofs), call.setup, call.executor));
  return CellsAndProofs(cells, proofs);
}

absl::StatusOr<Values> VerifyCells(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList commitments, call.in.List("commitments"));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<uint64_t> indices, call.in.Numbers("cell_indices"));
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList cells, call.in.List("cells"));
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList proofs, call.in.List("proofs"));
  SLIPWAY_ASSIGN_OR_RETURN(const bool valid,
                           VerifyCellBatch({commitments.views, indices, cells.views, proofs.views},
                                           call.setup, call.executor));
  return ToValues(valid);
}

absl::StatusOr<Values> CellsChallenge(const Call& call) {
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList commitments, call.in.List("commitments"));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<uint64_t> of_cells,
                           call.in.Numbers("commitment_indices"));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<uint64_t> indices, call.in.Numbers("cell_indices"));
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList cells, call.in.List("cosets_evals"));
  SLIPWAY_ASSIGN_OR_RETURN(const ByteList proofs, call.in.List("proofs"));
  SLIPWAY_ASSIGN_OR_RETURN(
      const Bytes32 challenge,
      ComputeCellBatchChallenge(of_cells, {commitments.views, indices, cells.views, proofs.views}));
  return Values{EncodeHex(challenge)};
}

struct Function {
  absl::string_view name;
  absl::StatusOr<Values> (*run)(const Call&);
};
constexpr std::array<Function, 12> kFunctions = {{
    {"blob_to_kzg_commitment", Commit},
    {"compute_kzg_proof", Prove},
    {"compute_blob_kzg_proof", ProveBlob},
    {"verify_kzg_proof", Verify},
    {"verify_blob_kzg_proof", VerifyBlob},
    {"verify_blob_kzg_proof_batch", VerifyBlobs},
    {"compute_cells", Cells},
    {"compute_cells_and_kzg_proofs", CellsProofs},
    {"recover_cells_and_kzg_proofs", Recover},
    {"verify_cell_kzg_proof_batch", VerifyCells},
    {"compute_challenge", Challenge},
    {"compute_verify_cell_kzg_proof_batch_challenge", CellsChallenge},
}};

void Flatten(const ConfigNode& node, Values& values) {
  if (node.kind == ConfigNode::Kind::kScalar) values.push_back(absl::AsciiStrToLower(node.text));
  for (const ConfigNode& item : node.items) Flatten(item, values);
}

VectorOutcome Judge(const absl::StatusOr<Values>& got, const ConfigNode& output) {
  if (output.kind == ConfigNode::Kind::kNull) {
    if (got.ok()) return {false, "it was accepted; it must be refused"};
    if (got.status().code() != absl::StatusCode::kInvalidArgument) {
      return {false, absl::StrCat("it was refused, but not as invalid: ", got.status().ToString())};
    }
    return {true, std::string(got.status().message())};
  }
  if (!got.ok()) return {false, absl::StrCat("it was refused: ", got.status().message())};
  Values expected;
  Flatten(output, expected);
  if (expected.size() != got->size()) {
    return {false, absl::StrCat(got->size(), " values instead of ", expected.size())};
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == (*got)[i]) continue;
    return {false, absl::StrCat("value ", i, " is ", (*got)[i].substr(0, 100), " instead of ",
                                expected[i].substr(0, 100))};
  }
  return {true, ""};
}

}  // namespace

std::vector<std::string> VectorFunctions() {
  std::vector<std::string> names;
  names.reserve(kFunctions.size());
  for (const Function& function : kFunctions) names.emplace_back(function.name);
  return names;
}

struct VectorCase::State {
  const Function* function;
  ConfigNode input, output;
};

VectorCase::VectorCase(std::unique_ptr<State> state) : state_(std::move(state)) {}
VectorCase::VectorCase(VectorCase&&) noexcept = default;
VectorCase& VectorCase::operator=(VectorCase&&) noexcept = default;
VectorCase::~VectorCase() = default;

absl::StatusOr<VectorCase> VectorCase::Parse(absl::string_view function, absl::string_view name,
                                             absl::string_view text) {
  const auto* const known =
      std::find_if(kFunctions.begin(), kFunctions.end(),
                   [&](const Function& candidate) { return candidate.name == function; });
  if (known == kFunctions.end()) {
    return absl::InvalidArgumentError(absl::StrCat("no function is called '", function, "'"));
  }
  base::ConfigLimits limits;
  limits.bytes_max = 64 << 20;
  SLIPWAY_ASSIGN_OR_RETURN(ConfigNode root, base::ParseConfig(text, name, limits));
  ConfigNode* const input = root.Find("input");
  ConfigNode* const output = root.Find("output");
  if (input == nullptr || output == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": a case has the keys input and output"));
  }
  auto state = std::make_unique<State>();
  state->function = known;
  state->input = std::move(*input);
  state->output = std::move(*output);
  return VectorCase(std::move(state));
}

VectorOutcome VectorCase::Run(const Setup& setup, Executor* executor) const {
  return Judge(state_->function->run({Input(state_->input), setup, executor}), state_->output);
}

}  // namespace slipway::kzg::cli
