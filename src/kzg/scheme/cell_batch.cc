// Verification of many cells with one pairing: the universal equation of EIP-7594 (spec 2.4).
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"
#include "bls12_381/msm.h"
#include "kzg/scheme/cells.h"
#include "kzg/scheme/challenge.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/extend.h"
#include "kzg/scheme/input.h"

namespace slipway::kzg {
namespace {

absl::Status CheckShape(const CellsToVerify& batch) {
  const size_t count = batch.cells.size();
  SLIPWAY_RETURN_IF_ERROR(CheckSameCount("cells", count, "commitments", batch.commitments.size()));
  SLIPWAY_RETURN_IF_ERROR(
      CheckSameCount("cells", count, "cell indices", batch.cell_indices.size()));
  SLIPWAY_RETURN_IF_ERROR(CheckSameCount("cells", count, "proofs", batch.proofs.size()));
  for (size_t i = 0; i < count; ++i) {
    if (batch.cell_indices[i] < kCellsPerExtBlob) continue;
    return InputError(kInvalidCellIndex,
                      absl::StrCat("read cell index ", i, ": it is ", batch.cell_indices[i],
                                   "; cells are numbered 0 to ", kCellsPerExtBlob - 1));
  }
  return absl::OkStatus();
}

// Commitments without repetition, in the order of their first appearance (K68).
struct UniqueCommitments {
  std::vector<BytesView> bytes;
  std::vector<size_t> first;      // the cell where each appears first
  std::vector<uint64_t> indices;  // for each cell, into `bytes`
};

UniqueCommitments Unique(absl::Span<const BytesView> commitments) {
  UniqueCommitments unique;
  absl::flat_hash_map<absl::string_view, uint64_t> seen;
  for (const BytesView commitment : commitments) {
    const auto [at, is_new] = seen.try_emplace(base::AsText(commitment), unique.bytes.size());
    if (is_new) {
      unique.bytes.push_back(commitment);
      unique.first.push_back(unique.indices.size());
    }
    unique.indices.push_back(at->second);
  }
  return unique;
}

// The coefficients of the sum of r^t times the interpolation of cell t: cells of one column are
// added before they are interpolated.
class Interpolation {
 public:
  Interpolation(const CellsToVerify& batch, absl::Span<const Fr> powers) : batch_(batch) {
    for (size_t t = 0; t < batch.cells.size(); ++t) columns_[batch.cell_indices[t]].push_back(t);
    for (const auto& [column, members] : columns_) order_.push_back(column);
    powers_ = powers;
    sums_.resize(order_.size());
    statuses_.resize(batch.cells.size());
  }

  absl::StatusOr<std::array<Fr, kFieldElementsPerCell>> Compute(const Setup& setup,
                                                                Executor* executor) {
    RunRanges(executor, order_.size(), /*per_part_min=*/1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) AddColumn(order_[i], setup, sums_[i]);
    });
    for (absl::Status& status : statuses_) SLIPWAY_RETURN_IF_ERROR(std::move(status));
    std::array<Fr, kFieldElementsPerCell> sum;
    sum.fill(Fr::Zero());
    for (const auto& column : sums_) {
      for (size_t m = 0; m < sum.size(); ++m) sum[m] += column[m];
    }
    return sum;
  }

 private:
  using Elements = std::array<Fr, kFieldElementsPerCell>;

  void AddColumn(uint64_t column, const Setup& setup, Elements& sum) {
    sum.fill(Fr::Zero());
    Elements cell;
    for (const size_t t : columns_.at(column)) {
      statuses_[t] = ReadCell(batch_.cells[t], {"cell", t}, absl::MakeSpan(cell));
      if (!statuses_[t].ok()) return;
      for (size_t m = 0; m < sum.size(); ++m) sum[m] += cell[m] * powers_[t];
    }
    InterpolateCell(absl::MakeSpan(sum), column, setup);
  }

  const CellsToVerify& batch_;
  absl::Span<const Fr> powers_;
  std::map<uint64_t, std::vector<size_t>> columns_;
  std::vector<uint64_t> order_;
  std::vector<Elements> sums_;
  std::vector<absl::Status> statuses_;
};

absl::Status CheckCellLengths(absl::Span<const BytesView> cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(CheckLength(cells[i], kBytesPerCell, {"cell", i}));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> VerifyCellBatch(const CellsToVerify& batch, const Setup& setup,
                                     Executor* executor) {
  SLIPWAY_RETURN_IF_ERROR(CheckShape(batch));
  if (batch.cells.empty()) return true;
  SLIPWAY_RETURN_IF_ERROR(CheckCellLengths(batch.cells));
  const UniqueCommitments unique = Unique(batch.commitments);
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<G1Affine> commitments,
                           ReadPoints(unique.bytes, "commitment", executor, unique.first));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<G1Affine> proofs,
                           ReadPoints(batch.proofs, "proof", executor));
  const Fr r = CellBatchChallenge(
      {unique.bytes, unique.indices, batch.cell_indices, batch.cells, batch.proofs});
  const size_t count = batch.cells.size();
  std::vector<Fr> powers(count);
  Fr power = Fr::One();
  for (Fr& p : powers) {
    p = power;
    power *= r;
  }
  Interpolation interpolation(batch, powers);
  SLIPWAY_ASSIGN_OR_RETURN(const auto coefficients, interpolation.Compute(setup, executor));
  // sum r^t C - [I(s)] + sum r^t H_k proof_t against sum r^t proof_t.
  std::vector<G1Affine> points = commitments;
  points.insert(points.end(), proofs.begin(), proofs.end());
  std::vector<Fr> scalars(points.size(), Fr::Zero());
  for (size_t t = 0; t < count; ++t) {
    scalars[unique.indices[t]] += powers[t];
    scalars[commitments.size() + t] = powers[t] * setup.domain().CosetPower(batch.cell_indices[t]);
  }
  std::array<G1, 3> sums;
  Run(executor, sums.size(), [&](size_t i) {
    if (i == 0) sums[i] = bls12_381::Msm(points, scalars);
    if (i == 1) sums[i] = bls12_381::Msm(proofs, powers);
    if (i == 2) sums[i] = setup.CommitCell(coefficients);
  });
  if (SLIPWAY_MUTANT("kzg-cells-uninterpolated")) sums[2] = sums[0];
  return setup.PairingHolds(sums[0] - sums[2], sums[1], kFieldElementsPerCell);
}

absl::StatusOr<Bytes32> ComputeCellBatchChallenge(absl::Span<const uint64_t> commitment_indices,
                                                  const CellsToVerify& batch) {
  const size_t count = batch.cells.size();
  SLIPWAY_RETURN_IF_ERROR(
      CheckSameCount("cells", count, "commitment indices", commitment_indices.size()));
  SLIPWAY_RETURN_IF_ERROR(
      CheckSameCount("cells", count, "cell indices", batch.cell_indices.size()));
  SLIPWAY_RETURN_IF_ERROR(CheckSameCount("cells", count, "proofs", batch.proofs.size()));
  for (size_t i = 0; i < count; ++i) {
    if (commitment_indices[i] >= batch.commitments.size()) {
      return InputError(kLengthMismatch,
                        absl::StrCat("read commitment index ", i, ": it is ", commitment_indices[i],
                                     "; there are ", batch.commitments.size(), " commitments"));
    }
    SLIPWAY_RETURN_IF_ERROR(CheckLength(batch.cells[i], kBytesPerCell, {"cell", i}));
    SLIPWAY_RETURN_IF_ERROR(CheckLength(batch.proofs[i], kBytesPerG1, {"proof", i}));
  }
  for (size_t i = 0; i < batch.commitments.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(CheckLength(batch.commitments[i], kBytesPerG1, {"commitment", i}));
  }
  return WriteScalar(CellBatchChallenge(
      {batch.commitments, commitment_indices, batch.cell_indices, batch.cells, batch.proofs}));
}

}  // namespace slipway::kzg
