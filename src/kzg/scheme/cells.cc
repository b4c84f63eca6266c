#include "kzg/scheme/cells.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/extend.h"
#include "kzg/scheme/fk20.h"
#include "kzg/scheme/input.h"

namespace slipway::kzg {
namespace {

constexpr Where kBlob{"blob"};

absl::Status CheckCellIndex(uint64_t index, const Where& where) {
  if (index < kCellsPerExtBlob) return absl::OkStatus();
  return InputError(kInvalidCellIndex,
                    absl::StrCat("read ", where.Text(), ": it is ", index,
                                 "; cells are numbered 0 to ", kCellsPerExtBlob - 1));
}

void CopyLowerCells(BytesView blob, absl::Span<Cell> cells) {
  for (size_t k = 0; k < kCellsPerBlob; ++k) {
    std::copy_n(blob.data() + k * kBytesPerCell, kBytesPerCell, cells[k].data());
  }
}

}  // namespace

absl::Status ComputeCells(BytesView blob, absl::Span<Cell> cells, const Setup& setup,
                          Executor* executor) {
  SLIPWAY_CHECK(cells.size() == kCellsPerExtBlob);
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  ExtendUpperCells(setup.domain().Interpolate(polynomial), cells.subspan(kCellsPerBlob), setup,
                   executor);
  CopyLowerCells(blob, cells);
  return absl::OkStatus();
}

absl::Status ComputeCellsAndProofs(BytesView blob, absl::Span<Cell> cells, absl::Span<Proof> proofs,
                                   const Setup& setup, Executor* executor) {
  SLIPWAY_CHECK(cells.size() == kCellsPerExtBlob);
  SLIPWAY_CHECK(proofs.size() == kCellsPerExtBlob);
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  const Coefficients coefficients = setup.domain().Interpolate(polynomial);
  ExtendUpperCells(coefficients, cells.subspan(kCellsPerBlob), setup, executor);
  CopyLowerCells(blob, cells);
  ComputeAllProofs(coefficients, proofs, setup, executor);
  return absl::OkStatus();
}

absl::Status ComputeSomeCells(BytesView blob, absl::Span<const uint64_t> indices,
                              absl::Span<Cell> cells, absl::Span<Proof> proofs, const Setup& setup,
                              Executor* executor) {
  SLIPWAY_CHECK(cells.size() == indices.size());
  SLIPWAY_CHECK(proofs.empty() || proofs.size() == indices.size());
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  for (size_t i = 0; i < indices.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(CheckCellIndex(indices[i], {"cell index", i}));
  }
  const Coefficients coefficients = setup.domain().Interpolate(polynomial);
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < kCellsPerBlob) {
      std::copy_n(blob.data() + indices[i] * kBytesPerCell, kBytesPerCell, cells[i].data());
    } else {
      EvaluateCell(coefficients, indices[i], setup, cells[i]);
    }
  }
  if (proofs.empty()) return absl::OkStatus();
  // With tables, one proof alone costs about as much as all of them.
  if (indices.size() == 1 && setup.tables() == nullptr) {
    proofs[0] = ComputeOneProof(coefficients, indices[0], setup, executor);
    return absl::OkStatus();
  }
  std::vector<Proof> all(kCellsPerExtBlob);
  ComputeAllProofs(coefficients, absl::MakeSpan(all), setup, executor);
  for (size_t i = 0; i < indices.size(); ++i) proofs[i] = all[indices[i]];
  return absl::OkStatus();
}

namespace {

absl::Status CheckRecoverInput(absl::Span<const uint64_t> indices,
                               absl::Span<const BytesView> given) {
  SLIPWAY_RETURN_IF_ERROR(CheckSameCount("cell indices", indices.size(), "cells", given.size()));
  for (size_t i = 0; i < indices.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(CheckCellIndex(indices[i], {"cell index", i}));
    if (i == 0 || indices[i] > indices[i - 1]) continue;
    return InputError(kUnsortedIndices,
                      absl::StrCat("read cell index ", i, ": it is ", indices[i], ", after ",
                                   indices[i - 1], "; indices must ascend without repetition"));
  }
  if (indices.size() < kCellsPerBlob) {
    return InputError(kNotEnoughCells,
                      absl::StrCat("recover cells: ", indices.size(), " cells are given; ",
                                   kCellsPerBlob, " are needed"));
  }
  return absl::OkStatus();
}

// The first given cell that differs from what was recovered.
absl::Status CheckGiven(absl::Span<const uint64_t> indices, absl::Span<const BytesView> given,
                        absl::Span<const Cell> cells) {
  for (size_t i = 0; i < indices.size(); ++i) {
    const Cell& cell = cells[indices[i]];
    if (std::equal(cell.begin(), cell.end(), given[i].begin())) continue;
    return InputError(kInconsistentCells,
                      absl::StrCat("recover cells: cells are not from one blob: cell ", indices[i],
                                   " differs from what the others give"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RecoverCells(absl::Span<const uint64_t> indices, absl::Span<const BytesView> given,
                          const RecoverOptions& options, absl::Span<Cell> cells,
                          absl::Span<Proof> proofs, const Setup& setup, Executor* executor) {
  SLIPWAY_CHECK(cells.size() == kCellsPerExtBlob);
  SLIPWAY_CHECK(proofs.empty() || proofs.size() == kCellsPerExtBlob);
  SLIPWAY_RETURN_IF_ERROR(CheckRecoverInput(indices, given));
  std::vector<Fr> elements(given.size() * kFieldElementsPerCell);
  for (size_t i = 0; i < given.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(ReadCell(
        given[i], {"cell", i},
        absl::MakeSpan(elements).subspan(i * kFieldElementsPerCell, kFieldElementsPerCell)));
  }
  const Coefficients coefficients = RecoverCoefficients(indices, elements, setup, executor);
  ExtendAllCells(coefficients, cells, setup, executor);
  if (options.strict) {
    SLIPWAY_RETURN_IF_ERROR(CheckGiven(indices, given, cells));
  } else {
    for (size_t i = 0; i < indices.size(); ++i) {
      std::copy(given[i].begin(), given[i].end(), cells[indices[i]].begin());
    }
  }
  if (!proofs.empty()) ComputeAllProofs(coefficients, proofs, setup, executor);
  return absl::OkStatus();
}

}  // namespace slipway::kzg
