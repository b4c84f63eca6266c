// EIP-4844: commitments to blobs and proofs of their values (spec 2.3).
//
// Malformed input is InvalidArgument with a reason as its id (errors.h); a proof that is
// well-formed and wrong is `false`. All inputs are public: everything here is variable time.
// Thread-safe; results do not depend on the executor, which may be null.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

// The sum of blob elements times Lagrange points (K59). INVALID_BLOB_SIZE,
// NON_CANONICAL_FIELD_ELEMENT.
absl::StatusOr<Commitment> BlobToCommitment(BytesView blob, const Setup& setup,
                                            Executor* executor = nullptr);

struct ProofAndY {
  Proof proof{};
  Bytes32 y{};
};
// P(z) and the proof of it (K61); any z, also one of the domain.
absl::StatusOr<ProofAndY> ComputeProof(BytesView blob, BytesView z, const Setup& setup,
                                       Executor* executor = nullptr);
// The proof at the challenge of blob and commitment. Whether `commitment` is that of the blob is
// not looked at, but it must be a point of the group.
absl::StatusOr<Proof> ComputeBlobProof(BytesView blob, BytesView commitment, const Setup& setup,
                                       Executor* executor = nullptr);

struct CommitmentAndProof {
  Commitment commitment{};
  Proof proof{};
};
// BlobToCommitment and ComputeBlobProof, reading the blob once (K81).
absl::StatusOr<CommitmentAndProof> CommitAndProve(BytesView blob, const Setup& setup,
                                                  Executor* executor = nullptr);

// Whether P(z) = y for the polynomial that is committed to (K62).
absl::StatusOr<bool> VerifyProof(BytesView commitment, BytesView z, BytesView y, BytesView proof,
                                 const Setup& setup);
absl::StatusOr<bool> VerifyBlobProof(BytesView blob, BytesView commitment, BytesView proof,
                                     const Setup& setup, Executor* executor = nullptr);
// Whether all are right: one pairing for all. Lists of one length, else LENGTH_MISMATCH; true for
// none.
absl::StatusOr<bool> VerifyBlobProofBatch(absl::Span<const BytesView> blobs,
                                          absl::Span<const BytesView> commitments,
                                          absl::Span<const BytesView> proofs, const Setup& setup,
                                          Executor* executor = nullptr);

// The challenge of K60.
absl::StatusOr<Bytes32> ComputeChallenge(BytesView blob, BytesView commitment);

}  // namespace slipway::kzg
