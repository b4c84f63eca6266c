// EIP-7594: cells of the extended blob, their proofs, recovery (spec 2.4).
//
// Cell k holds the blob's polynomial at h_k w64^brp6(j), j = 0 … 63; cells 0 … 63 are the blob
// itself. Errors, threads and executors as in kzg.h.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

// All 128 cells. `cells` has room for 128 (CHECK).
absl::Status ComputeCells(BytesView blob, absl::Span<Cell> cells, const Setup& setup,
                          Executor* executor = nullptr);
// All 128 cells and their proofs, by FK20 (Feist, Khovratovich; eprint 2023/033).
absl::Status ComputeCellsAndProofs(BytesView blob, absl::Span<Cell> cells, absl::Span<Proof> proofs,
                                   const Setup& setup, Executor* executor = nullptr);
// Only those cells (K81), in the order of `indices`; `proofs` is empty or has room for as many.
// INVALID_CELL_INDEX.
absl::Status ComputeSomeCells(BytesView blob, absl::Span<const uint64_t> indices,
                              absl::Span<Cell> cells, absl::Span<Proof> proofs, const Setup& setup,
                              Executor* executor = nullptr);

struct RecoverOptions {
  // Refuse cells that are not of one blob, where more than 64 are given: INCONSISTENT_CELLS. The
  // reference returns other cells then.
  bool strict = true;
};
// All 128 cells from at least 64, and the proofs unless `proofs` is empty (K74). `indices` ascend
// strictly. LENGTH_MISMATCH, NOT_ENOUGH_CELLS, INVALID_CELL_INDEX, UNSORTED_INDICES,
// INVALID_LENGTH, NON_CANONICAL_FIELD_ELEMENT.
absl::Status RecoverCells(absl::Span<const uint64_t> indices, absl::Span<const BytesView> given,
                          const RecoverOptions& options, absl::Span<Cell> cells,
                          absl::Span<Proof> proofs, const Setup& setup,
                          Executor* executor = nullptr);

// Lists of a batch: one entry for each cell.
struct CellsToVerify {
  absl::Span<const BytesView> commitments;
  absl::Span<const uint64_t> cell_indices;
  absl::Span<const BytesView> cells;
  absl::Span<const BytesView> proofs;
};
// Whether all cells belong to their commitments: one pairing for all. True for none.
absl::StatusOr<bool> VerifyCellBatch(const CellsToVerify& batch, const Setup& setup,
                                     Executor* executor = nullptr);

// The challenge of that batch. `commitments`: without repetition, named by `commitment_indices`.
// Lists of one length and commitment indices in range, else LENGTH_MISMATCH, INVALID_LENGTH.
absl::StatusOr<Bytes32> ComputeCellBatchChallenge(absl::Span<const uint64_t> commitment_indices,
                                                  const CellsToVerify& batch);

}  // namespace slipway::kzg
