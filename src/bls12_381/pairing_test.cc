// The pairing by its own laws: bilinear, of order r, not degenerate (spec 2.1, 4.4).
#include "bls12_381/pairing.h"

#include <gtest/gtest.h>

#include "bls12_381/curve_constants.h"
#include "bls12_381/test_field.h"
#include "bls12_381/test_points.h"

namespace slipway::bls12_381 {
namespace {

using internal::kParameter;
using testing::RandomFr;
using testing::RandomG1;
using testing::RandomG2;

class PairingTest : public testing::EachBackend {
 protected:
  std::mt19937_64 random_{20};
};
SLIPWAY_EACH_BACKEND(PairingTest);

Fp12 Power(const Fp12& base, absl::Span<const uint64_t> exponent) {
  Fp12 power = Fp12::One();
  for (size_t i = exponent.size() * 64; i-- > 0;) {
    power = power * power;
    if ((exponent[i / 64] >> (i % 64) & 1) != 0) power = power * base;
  }
  return power;
}

TEST_P(PairingTest, IsBilinear) {
  for (int round = 0; round < 3; ++round) {
    const G1Affine p = RandomG1(random_);
    const G2Affine q = RandomG2(random_);
    const Fr a = RandomFr(random_);
    const Fr b = RandomFr(random_);
    const Fp12 moved = Pairing((p * a).ToAffine(), (q * b).ToAffine());
    EXPECT_EQ(moved, Power(Pairing(p, q), (a * b).ToLimbs()));
    EXPECT_EQ(moved, Pairing((p * (a * b)).ToAffine(), q));
    EXPECT_EQ(moved, Pairing(p, (q * (a * b)).ToAffine()));
  }
}

TEST_P(PairingTest, OfTheGeneratorsHasOrderR) {
  const Fp12 e = Pairing(G1Affine::Generator(), G2Affine::Generator());
  EXPECT_FALSE(e.IsOne());
  EXPECT_TRUE(Power(e, kFrModulus).IsOne());
}

TEST_P(PairingTest, OfInfinityIsOne) {
  EXPECT_TRUE(Pairing(G1Affine::Identity(), G2Affine::Generator()).IsOne());
  EXPECT_TRUE(Pairing(G1Affine::Generator(), G2Affine::Identity()).IsOne());
  EXPECT_TRUE(PairingProductIsOne({}, absl::Span<const G2Prepared>()));
}

TEST_P(PairingTest, AProductIsOneExactlyWhenTheScalarsCancel) {
  const G2Prepared g2(G2Affine::Generator());
  const Fr s = RandomFr(random_);
  const G2Prepared sg2((G2::Generator() * s).ToAffine());
  const Fr a = RandomFr(random_);
  const std::vector<G2Prepared> prepared = {g2, sg2};
  std::vector<G1Affine> points = {(G1::Generator() * (a * s)).ToAffine(),
                                  (-(G1::Generator() * a)).ToAffine()};
  EXPECT_TRUE(PairingProductIsOne(points, prepared));
  points[1] = (-(G1::Generator() * (a + Fr::One()))).ToAffine();
  EXPECT_FALSE(PairingProductIsOne(points, prepared));
  points = {G1Affine::Identity(), G1Affine::Identity()};
  EXPECT_TRUE(PairingProductIsOne(points, prepared));
}

TEST_P(PairingTest, OneIsDecompressedToo) {
  EXPECT_TRUE(Fp12::One().CyclotomicPowerOfParameter().IsOne());
  EXPECT_TRUE(FinalExponentiation(Fp12::One()).IsOne());
}

TEST_P(PairingTest, TheCyclotomicSquareIsTheSquare) {
  for (int i = 0; i < 20; ++i) {
    const Fp12 e = Pairing(RandomG1(random_), G2Affine::Generator());
    EXPECT_EQ(e.CyclotomicSquare(), e.Square());
    EXPECT_EQ(e.Square(), e * e);
    EXPECT_EQ(e.CyclotomicPowerOfParameter(), Power(e, std::array<uint64_t, 1>{kParameter}));
    EXPECT_TRUE((e * e.Inverse()).IsOne());
    EXPECT_EQ(e.Conjugate(), e.Inverse());
  }
}

}  // namespace
}  // namespace slipway::bls12_381
