// The scalars that verifier and prover derive by hashing, byte for byte as the EIPs say (K53, K60).
// Thread-safe: free functions.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "bls12_381/fr.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

using bls12_381::Fr;

// K60. `commitment`: 48 bytes as the caller gave them. Lengths were checked before.
Fr BlobChallenge(BytesView blob, BytesView commitment);

// What the challenge of a batch of openings covers; lists of one length.
struct OpeningBatch {
  absl::Span<const BytesView> commitments, proofs;
  absl::Span<const Fr> z, y;
};
Fr OpeningBatchChallenge(const OpeningBatch& batch);

// What the challenge of a batch of cells covers: `commitments` without repetition, the others with
// one entry for each cell.
struct CellBatch {
  absl::Span<const BytesView> commitments;
  absl::Span<const uint64_t> commitment_indices;
  absl::Span<const uint64_t> cell_indices;
  absl::Span<const BytesView> cells, proofs;
};
Fr CellBatchChallenge(const CellBatch& batch);

}  // namespace slipway::kzg
