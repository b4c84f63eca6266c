// Polynomials over cells, in both directions. Private to kzg/scheme. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "kzg/scheme/domain.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

// Cells 64 … 127: the values on the coset w8192 <w4096>. `cells` has room for 64.
void ExtendUpperCells(const Coefficients& polynomial, absl::Span<Cell> cells, const Setup& setup,
                      Executor* executor);
// All 128 cells.
void ExtendAllCells(const Coefficients& polynomial, absl::Span<Cell> cells, const Setup& setup,
                    Executor* executor);
// One cell alone: P modulo X^64 - H_k has the same values there.
void EvaluateCell(const Coefficients& polynomial, size_t cell, const Setup& setup, Cell& out);

// The 64 coefficients of the polynomial of degree < 64 with the values of cell `cell`, in place.
void InterpolateCell(absl::Span<Fr> values, size_t cell, const Setup& setup);

// The polynomial of degree < 4096 with the given cells, of which there are at least 64: 64
// independent codes of length 128, one for each coefficient modulo X^64 - H (spec 2.4). `elements`:
// 64 for each index. Cells that are of no one blob give some polynomial.
Coefficients RecoverCoefficients(absl::Span<const uint64_t> indices, absl::Span<const Fr> elements,
                                 const Setup& setup, Executor* executor);

}  // namespace slipway::kzg
