// Proofs of all cells at once. Private to kzg/scheme. Thread-safe.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "kzg/scheme/domain.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

// The proofs of all 128 cells of the polynomial (spec 2.4): those of the quotients of P by X^64 -
// H_k, which are the values at H_k of V(Y), a polynomial over G1 of degree 62. With tables, V comes
// from transforms; without, from 63 sums over the setup.
void ComputeAllProofs(const Coefficients& polynomial, absl::Span<Proof> proofs, const Setup& setup,
                      Executor* executor);
// The proof of one cell: the commitment to the quotient itself.
Proof ComputeOneProof(const Coefficients& polynomial, size_t cell, const Setup& setup,
                      Executor* executor);

}  // namespace slipway::kzg
