// EIP-4844 against definitions, over a setup whose secret number is known.
#include "kzg/scheme/kzg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest/sha256.h"
#include "base/testing/status_matchers.h"
#include "bls12_381/encoding.h"
#include "kzg/scheme/challenge.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/input.h"
#include "kzg/scheme/test_setup.h"

namespace slipway::kzg {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using testing::BlobOf;
using ::testing::HasSubstr;
using testing::PlainSetup;
using testing::RandomFr;
using testing::SomeBlob;
using testing::TabledSetup;

// The secret number of PlainSetup, which its generator derives from the seed.
Fr Secret() {
  return Fr::FromBytesReduced(base::Sha256Of(base::AsBytes("slipway insecure setup 7")));
}

base::Bytes Scalar(const Fr& value) {
  const Bytes32 bytes = WriteScalar(value);
  return {bytes.begin(), bytes.end()};
}

std::string ReasonOf(const absl::Status& status) { return base::GetErrorInfo(status).code; }

class KzgTest : public ::testing::Test {
 protected:
  std::mt19937_64 random_{4844};
};

TEST_F(KzgTest, ACommitmentIsTheValueAtTheSecretNumber) {  // K59
  for (int kind = 0; kind < testing::kBlobKinds; ++kind) {
    const base::Bytes blob = SomeBlob(random_, kind);
    const Fr value = testing::LagrangeValue(blob, Secret(), PlainSetup().domain());
    const Bytes48 expected = WritePoint(bls12_381::MultiplyGenerator(value));
    EXPECT_THAT(BlobToCommitment(blob, PlainSetup()), IsOkAndHolds(expected)) << kind;
    EXPECT_THAT(BlobToCommitment(blob, TabledSetup()), IsOkAndHolds(expected)) << kind;
  }
}

TEST_F(KzgTest, TheCommitmentOfZerosIsInfinity) {  // K40
  Commitment infinity{};
  infinity[0] = 0xc0;
  EXPECT_THAT(BlobToCommitment(base::Bytes(kBytesPerBlob), TabledSetup()), IsOkAndHolds(infinity));
}

TEST_F(KzgTest, FoldingGivesTheValueByLagrange) {  // spec 4.4
  const base::Bytes blob = SomeBlob(random_, 4);
  const Evaluations polynomial{testing::ElementsOf(blob)};
  const Domain& domain = PlainSetup().domain();
  for (int i = 0; i < 20; ++i) {
    const Fr z = RandomFr(random_);
    EXPECT_EQ(domain.Evaluate(polynomial, z), testing::LagrangeValue(blob, z, domain));
  }
  for (const size_t i : {0, 1, 2, 63, 64, 2048, 4095}) {
    EXPECT_EQ(domain.Evaluate(polynomial, domain.points()[i]), polynomial.values[i]) << i;
  }
}

TEST_F(KzgTest, AProofIsTheQuotientAtTheSecretNumber) {  // K61
  const base::Bytes blob = SomeBlob(random_, 4);
  const Fr at_secret = testing::LagrangeValue(blob, Secret(), PlainSetup().domain());
  const std::vector<Fr> inside = {Fr::One(), -Fr::One(), PlainSetup().domain().points()[77]};
  for (int i = 0; i < 6; ++i) {
    const Fr z = i < 3 ? inside[i] : RandomFr(random_);
    ASSERT_OK_AND_ASSIGN(const ProofAndY result, ComputeProof(blob, Scalar(z), TabledSetup()));
    ASSERT_OK_AND_ASSIGN(const Fr y, ReadScalar(result.y, {"y"}));
    const Fr quotient = (at_secret - y) * (Secret() - z).Inverse();
    EXPECT_EQ(result.proof, WritePoint(bls12_381::MultiplyGenerator(quotient))) << i;
  }
}

TEST_F(KzgTest, RightProofsVerifyAndWrongOnesDoNot) {  // K62
  for (int kind = 0; kind < testing::kBlobKinds; ++kind) {
    const base::Bytes blob = SomeBlob(random_, kind);
    const base::Bytes z = Scalar(RandomFr(random_));
    ASSERT_OK_AND_ASSIGN(const Commitment c, BlobToCommitment(blob, TabledSetup()));
    ASSERT_OK_AND_ASSIGN(const ProofAndY opening, ComputeProof(blob, z, TabledSetup()));
    EXPECT_THAT(VerifyProof(c, z, opening.y, opening.proof, PlainSetup()), IsOkAndHolds(true));
    ASSERT_OK_AND_ASSIGN(const Fr y, ReadScalar(opening.y, {"y"}));
    EXPECT_THAT(VerifyProof(c, z, Scalar(y + Fr::One()), opening.proof, PlainSetup()),
                IsOkAndHolds(false));
    const Bytes48 other = WritePoint(bls12_381::MultiplyGenerator(RandomFr(random_)));
    EXPECT_THAT(VerifyProof(c, z, opening.y, other, PlainSetup()), IsOkAndHolds(false));
    EXPECT_THAT(VerifyProof(other, z, opening.y, opening.proof, PlainSetup()), IsOkAndHolds(false));
  }
}

TEST_F(KzgTest, CommitAndProveIsBothInOnePass) {  // K81
  const base::Bytes blob = SomeBlob(random_, 4);
  ASSERT_OK_AND_ASSIGN(const CommitmentAndProof both, CommitAndProve(blob, TabledSetup()));
  EXPECT_THAT(BlobToCommitment(blob, TabledSetup()), IsOkAndHolds(both.commitment));
  EXPECT_THAT(ComputeBlobProof(blob, both.commitment, TabledSetup()), IsOkAndHolds(both.proof));
  EXPECT_THAT(VerifyBlobProof(blob, both.commitment, both.proof, PlainSetup()), IsOkAndHolds(true));
}

// Blobs with their commitments and proofs, and views of them.
struct Batch {
  std::vector<base::Bytes> blobs;
  std::vector<Bytes48> commitments, proofs;

  absl::StatusOr<bool> Verify() const {
    const std::vector<BytesView> b(blobs.begin(), blobs.end());
    const std::vector<BytesView> c(commitments.begin(), commitments.end());
    const std::vector<BytesView> p(proofs.begin(), proofs.end());
    return VerifyBlobProofBatch(b, c, p, PlainSetup());
  }
};

TEST_F(KzgTest, ABatchIsRightWhenEachIs) {  // K62, K72
  Batch batch;
  EXPECT_THAT(batch.Verify(), IsOkAndHolds(true));
  for (int i = 0; i < 5; ++i) {
    batch.blobs.push_back(SomeBlob(random_, i));
    ASSERT_OK_AND_ASSIGN(const CommitmentAndProof both,
                         CommitAndProve(batch.blobs.back(), TabledSetup()));
    batch.commitments.push_back(both.commitment);
    batch.proofs.push_back(both.proof);
    EXPECT_THAT(batch.Verify(), IsOkAndHolds(true)) << i;
  }
  for (size_t i = 0; i < 5; ++i) {
    Batch wrong = batch;
    wrong.proofs[i] = WritePoint(bls12_381::MultiplyGenerator(RandomFr(random_)));
    EXPECT_THAT(wrong.Verify(), IsOkAndHolds(false)) << i;
  }
}

TEST_F(KzgTest, ErrorsThatCancelInASumDoNotPassABatch) {  // K62: the weights are powers of r
  Batch batch;
  for (int i = 0; i < 2; ++i) {
    batch.blobs.push_back(SomeBlob(random_, 4));
    ASSERT_OK_AND_ASSIGN(const CommitmentAndProof both,
                         CommitAndProve(batch.blobs.back(), TabledSetup()));
    batch.commitments.push_back(both.commitment);
    batch.proofs.push_back(both.proof);
  }
  // With known secret s, C + (s - z) D and proof + D satisfy the equation with any D; here the
  // second equation gets the opposite of the first one's error.
  const Fr d = RandomFr(random_);
  const std::array<Fr, 2> signs = {Fr::One(), -Fr::One()};
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const G1Affine proof, ReadPoint(batch.proofs[i], {"proof"}));
    ASSERT_OK_AND_ASSIGN(const Bytes32 challenge,
                         ComputeChallenge(batch.blobs[i], batch.commitments[i]));
    ASSERT_OK_AND_ASSIGN(const Fr z, ReadScalar(challenge, {"z"}));
    const Fr error = signs[i] * d * (Secret() - z).Inverse();
    batch.proofs[i] = WritePoint(bls12_381::MultiplyGenerator(error) + proof);
  }
  EXPECT_THAT(batch.Verify(), IsOkAndHolds(false));
}

// What the challenge leaves out, a forger can choose after it. No official case holds the number.
TEST_F(KzgTest, TheChallengeOfABatchCoversEveryField) {  // K62
  base::Bytes covered;
  const auto cover = [&](BytesView bytes) {
    covered.insert(covered.end(), bytes.begin(), bytes.end());
  };
  cover(base::AsBytes("RCKZGBATCH___V1_"));
  cover(std::array<uint8_t, 16>{0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 3});
  std::array<Bytes48, 3> commitments;
  std::array<Bytes48, 3> proofs;
  std::vector<Fr> z;
  std::vector<Fr> y;
  for (size_t i = 0; i < 3; ++i) {
    commitments[i] = WritePoint(bls12_381::MultiplyGenerator(RandomFr(random_)));
    proofs[i] = WritePoint(bls12_381::MultiplyGenerator(RandomFr(random_)));
    z.push_back(RandomFr(random_));
    y.push_back(RandomFr(random_));
    cover(commitments[i]);
    cover(Scalar(z[i]));
    cover(Scalar(y[i]));
    cover(proofs[i]);
  }
  const std::vector<BytesView> c(commitments.begin(), commitments.end());
  const std::vector<BytesView> p(proofs.begin(), proofs.end());
  EXPECT_EQ(OpeningBatchChallenge({c, p, z, y}), Fr::FromBytesReduced(base::Sha256Of(covered)));
}

TEST_F(KzgTest, ListsOfDifferentLengthsAreRefusedFirst) {  // K71
  const base::Bytes blob(kBytesPerBlob);
  const std::vector<BytesView> one = {blob};
  const absl::Status status = VerifyBlobProofBatch(one, {}, {}, PlainSetup()).status();
  EXPECT_EQ(ReasonOf(status), kLengthMismatch);
  EXPECT_THAT(status.message(), HasSubstr("1 blobs but 0 commitments"));
}

TEST_F(KzgTest, LengthsAndElementsAreNamed) {  // K11, K53, K84
  for (const size_t size : {size_t{0}, kBytesPerBlob - 1, kBytesPerBlob + 1}) {
    const absl::Status status = BlobToCommitment(base::Bytes(size), PlainSetup()).status();
    EXPECT_EQ(ReasonOf(status), kInvalidBlobSize);
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(size, " bytes")));
  }
  base::Bytes blob(kBytesPerBlob);
  std::fill_n(blob.begin() + 1234 * kBytesPerFieldElement, kBytesPerFieldElement, 0xff);
  const absl::Status status = BlobToCommitment(blob, PlainSetup()).status();
  EXPECT_EQ(ReasonOf(status), kNonCanonicalFieldElement);
  EXPECT_THAT(status.message(), HasSubstr("element 1234"));
  EXPECT_EQ(
      ReasonOf(ComputeProof(base::Bytes(kBytesPerBlob), base::Bytes(31), PlainSetup()).status()),
      kInvalidLength);
}

TEST_F(KzgTest, TheOrderOfTheFieldIsTheFirstNumberRefused) {  // K53
  ASSERT_OK_AND_ASSIGN(
      base::Bytes order,
      DecodeHex("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001", {"r"}));
  EXPECT_EQ(ReasonOf(ReadScalar(order, {"z"}).status()), kNonCanonicalFieldElement);
  order.back() = 0;
  ASSERT_OK_AND_ASSIGN(const Fr below, ReadScalar(order, {"z"}));
  EXPECT_EQ(below, -Fr::One());
}

// A point in hex and the reason why it is refused.
struct BadPoint {
  std::string hex;
  std::string reason;
};

TEST_F(KzgTest, PointsAreRefusedForTheRightReason) {  // K54
  const std::string zeros(92, '0');
  const std::vector<BadPoint> bad = {
      {absl::StrCat("8000", zeros), kNotInSubgroup},  // x = 0: order three
      {absl::StrCat("a000", zeros), kNotInSubgroup},
      {absl::StrCat("8000", zeros.substr(2), "01"), kNotOnCurve},  // x = 1
      {absl::StrCat("c000", zeros.substr(2), "01"), kInvalidPointEncoding},
      {absl::StrCat("e000", zeros), kInvalidPointEncoding},
      {absl::StrCat("0000", zeros), kInvalidPointEncoding},
      {"9a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9fefffffff"
       "f"
       "aaab",
       kInvalidPointEncoding},  // x = p
      {absl::StrCat("c000", zeros, "00"), kInvalidLength},
  };
  for (const BadPoint& point : bad) {
    ASSERT_OK_AND_ASSIGN(const base::Bytes bytes, DecodeHex(point.hex, {"point"}));
    const absl::Status status = ReadPoint(bytes, {"proof", 3}).status();
    EXPECT_EQ(ReasonOf(status), point.reason) << point.hex;
    EXPECT_THAT(status.message(), HasSubstr("proof 3")) << point.hex;
  }
}

TEST_F(KzgTest, AnyNumberOfSetupsLiveSideBySide) {  // K73
  const base::Bytes bytes = GenerateInsecureSetup(8);
  ASSERT_OK_AND_ASSIGN(SetupPoints points, DecodeSetup(bytes));
  const auto other = kzg::Setup::Make(points, SetupIdOf(bytes));
  const base::Bytes blob = SomeBlob(random_, 4);
  ASSERT_OK_AND_ASSIGN(const CommitmentAndProof mine, CommitAndProve(blob, PlainSetup()));
  ASSERT_OK_AND_ASSIGN(const CommitmentAndProof theirs, CommitAndProve(blob, *other));
  EXPECT_NE(mine.commitment, theirs.commitment);
  EXPECT_THAT(VerifyBlobProof(blob, theirs.commitment, theirs.proof, *other), IsOkAndHolds(true));
  EXPECT_THAT(VerifyBlobProof(blob, theirs.commitment, theirs.proof, PlainSetup()),
              IsOkAndHolds(false));
}

}  // namespace
}  // namespace slipway::kzg
