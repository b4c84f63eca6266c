#include "kzg/scheme/kzg.h"

#include <utility>

#include "base/mutant.h"
#include "base/status.h"
#include "bls12_381/g1.h"
#include "bls12_381/msm.h"
#include "kzg/scheme/challenge.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/input.h"

namespace slipway::kzg {
namespace {

constexpr Where kBlob{"blob"};
constexpr Where kCommitment{"commitment"};
constexpr Where kProof{"proof"};

struct Opening {
  Fr y;
  G1 proof;
};

Opening Open(const Evaluations& polynomial, const Fr& z, const Setup& setup, Executor* executor) {
  const Fr y = setup.domain().Evaluate(polynomial, z);
  return {y, setup.Commit(setup.domain().Quotient(polynomial, z, y), executor)};
}

// C - y G1 + z proof: what pairs with G2 as the proof does with s G2.
G1 LeftSide(const G1Affine& commitment, const Fr& z, const Fr& y, const G1Affine& proof) {
  return proof * z + commitment - bls12_381::MultiplyGenerator(y);
}

std::vector<Fr> PowersOf(const Fr& base, size_t count) {
  std::vector<Fr> powers(count);
  Fr power = Fr::One();
  for (Fr& p : powers) {
    p = power;
    power *= base;
  }
  return powers;
}

// A blob of a batch, read, with its challenge and the value there.
struct BatchItem {
  absl::Status status;
  Fr z = Fr::Zero();
  Fr y = Fr::Zero();
};

BatchItem ReadBatchItem(BytesView blob, BytesView commitment, size_t index, const Setup& setup) {
  BatchItem item;
  absl::StatusOr<Evaluations> polynomial = ReadBlob(blob, {"blob", index});
  if (!polynomial.ok()) {
    item.status = std::move(polynomial).status();
    return item;
  }
  item.z = BlobChallenge(blob, commitment);
  item.y = setup.domain().Evaluate(*polynomial, item.z);
  return item;
}

bool BatchHolds(absl::Span<const G1Affine> commitments, absl::Span<const G1Affine> proofs,
                absl::Span<const Fr> z, absl::Span<const Fr> y, const Fr& r, const Setup& setup,
                Executor* executor) {
  const size_t count = commitments.size();
  const std::vector<Fr> powers =
      PowersOf(SLIPWAY_MUTANT("kzg-batch-weights") ? Fr::One() : r, count);
  // sum r^i (C_i - y_i G1) + sum r^i z_i proof_i, the generator's share taken together.
  std::vector<G1Affine> points(commitments.begin(), commitments.end());
  points.insert(points.end(), proofs.begin(), proofs.end());
  std::vector<Fr> scalars = powers;
  scalars.resize(2 * count);
  Fr generator = Fr::Zero();
  for (size_t i = 0; i < count; ++i) {
    scalars[count + i] = powers[i] * z[i];
    generator += powers[i] * y[i];
  }
  std::array<G1, 2> sums;
  Run(executor, 2, [&](size_t i) {
    sums[i] = i == 0 ? bls12_381::Msm(points, scalars) : bls12_381::Msm(proofs, powers);
  });
  return setup.PairingHolds(sums[0] - bls12_381::MultiplyGenerator(generator), sums[1], 1);
}

}  // namespace

absl::StatusOr<Commitment> BlobToCommitment(BytesView blob, const Setup& setup,
                                            Executor* executor) {
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  return WritePoint(setup.Commit(polynomial, executor));
}

absl::StatusOr<ProofAndY> ComputeProof(BytesView blob, BytesView z, const Setup& setup,
                                       Executor* executor) {
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  SLIPWAY_ASSIGN_OR_RETURN(const Fr point, ReadScalar(z, {"z"}));
  const Opening opening = Open(polynomial, point, setup, executor);
  return ProofAndY{WritePoint(opening.proof), WriteScalar(opening.y)};
}

absl::StatusOr<Proof> ComputeBlobProof(BytesView blob, BytesView commitment, const Setup& setup,
                                       Executor* executor) {
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  SLIPWAY_RETURN_IF_ERROR(ReadPoint(commitment, kCommitment).status());
  const Fr z = BlobChallenge(blob, commitment);
  return WritePoint(Open(polynomial, z, setup, executor).proof);
}

absl::StatusOr<CommitmentAndProof> CommitAndProve(BytesView blob, const Setup& setup,
                                                  Executor* executor) {
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  CommitmentAndProof result;
  result.commitment = WritePoint(setup.Commit(polynomial, executor));
  const Fr z = BlobChallenge(blob, result.commitment);
  result.proof = WritePoint(Open(polynomial, z, setup, executor).proof);
  return result;
}

absl::StatusOr<bool> VerifyProof(BytesView commitment, BytesView z, BytesView y, BytesView proof,
                                 const Setup& setup) {
  SLIPWAY_ASSIGN_OR_RETURN(const G1Affine c, ReadPoint(commitment, kCommitment));
  SLIPWAY_ASSIGN_OR_RETURN(const Fr z_value, ReadScalar(z, {"z"}));
  SLIPWAY_ASSIGN_OR_RETURN(const Fr y_value, ReadScalar(y, {"y"}));
  SLIPWAY_ASSIGN_OR_RETURN(const G1Affine pi, ReadPoint(proof, kProof));
  return setup.PairingHolds(LeftSide(c, z_value, y_value, pi), G1::FromAffine(pi), 1);
}

absl::StatusOr<bool> VerifyBlobProof(BytesView blob, BytesView commitment, BytesView proof,
                                     const Setup& setup, Executor* executor) {
  SLIPWAY_ASSIGN_OR_RETURN(const Evaluations polynomial, ReadBlob(blob, kBlob));
  const std::array<BytesView, 2> list = {commitment, proof};
  std::array<absl::StatusOr<G1Affine>, 2> read;
  Run(executor, 2, [&](size_t i) { read[i] = ReadPoint(list[i], i == 0 ? kCommitment : kProof); });
  SLIPWAY_ASSIGN_OR_RETURN(const G1Affine c, std::move(read[0]));
  SLIPWAY_ASSIGN_OR_RETURN(const G1Affine pi, std::move(read[1]));
  const Fr z = BlobChallenge(blob, commitment);
  const Fr y = setup.domain().Evaluate(polynomial, z);
  return setup.PairingHolds(LeftSide(c, z, y, pi), G1::FromAffine(pi), 1);
}

absl::StatusOr<bool> VerifyBlobProofBatch(absl::Span<const BytesView> blobs,
                                          absl::Span<const BytesView> commitments,
                                          absl::Span<const BytesView> proofs, const Setup& setup,
                                          Executor* executor) {
  SLIPWAY_RETURN_IF_ERROR(CheckSameCount("blobs", blobs.size(), "commitments", commitments.size()));
  SLIPWAY_RETURN_IF_ERROR(CheckSameCount("blobs", blobs.size(), "proofs", proofs.size()));
  if (blobs.empty()) return true;
  if (blobs.size() == 1) {
    return VerifyBlobProof(blobs[0], commitments[0], proofs[0], setup, executor);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<G1Affine> c,
                           ReadPoints(commitments, "commitment", executor));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<G1Affine> pi, ReadPoints(proofs, "proof", executor));
  std::vector<BatchItem> items(blobs.size());
  Run(executor, blobs.size(),
      [&](size_t i) { items[i] = ReadBatchItem(blobs[i], commitments[i], i, setup); });
  std::vector<Fr> z(items.size());
  std::vector<Fr> y(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(std::move(items[i].status));
    z[i] = items[i].z;
    y[i] = items[i].y;
  }
  const Fr r = OpeningBatchChallenge({commitments, proofs, z, y});
  return BatchHolds(c, pi, z, y, r, setup, executor);
}

absl::StatusOr<Bytes32> ComputeChallenge(BytesView blob, BytesView commitment) {
  SLIPWAY_RETURN_IF_ERROR(CheckBlobLength(blob, kBlob));
  SLIPWAY_RETURN_IF_ERROR(CheckLength(commitment, kBytesPerG1, kCommitment));
  return WriteScalar(BlobChallenge(blob, commitment));
}

}  // namespace slipway::kzg
