// Fp2, Fp6 and Fp12 against polynomials multiplied by hand, and the constants of the curves
// computed anew (spec 2.1, 4.3), under each back end.
#include <gtest/gtest.h>

#include <array>

#include "bls12_381/curve_constants.h"
#include "bls12_381/fp12.h"
#include "bls12_381/test_field.h"
#include "bls12_381/test_points.h"

namespace slipway::bls12_381 {
namespace {

using testing::BigInt;
using testing::P;
using testing::RandomFp;
using testing::RandomFp2;

class TowerTest : public testing::EachBackend {
 protected:
  // Edge values often, and zeros.
  Fp AnyFp() {
    static const std::vector<BigInt> edges = testing::Edges(P(), 384);
    return random_() % 3 == 0 ? testing::StoredFp(edges[random_() % edges.size()])
                              : RandomFp(random_);
  }
  Fp2 AnyFp2() { return random_() % 5 == 0 ? Fp2::Zero() : Fp2{AnyFp(), AnyFp()}; }
  Fp12 AnyFp12() { return {{AnyFp2(), AnyFp2(), AnyFp2()}, {AnyFp2(), AnyFp2(), AnyFp2()}}; }
  std::mt19937_64 random_{23};
};
SLIPWAY_EACH_BACKEND(TowerTest);

Fp2 SlowProduct(const Fp2& a, const Fp2& b) {
  return {a.c0 * b.c0 - a.c1 * b.c1, a.c0 * b.c1 + a.c1 * b.c0};
}
const Fp2 kNonresidue = {Fp::One(), Fp::One()};

// The coefficients of an element of Fp12 = Fp2[w] / (w^6 - (1 + u)).
using Polynomial = std::array<Fp2, 6>;
Polynomial ToPolynomial(const Fp12& a) {
  return {a.c0.c0, a.c1.c0, a.c0.c1, a.c1.c1, a.c0.c2, a.c1.c2};
}
Fp12 FromPolynomial(const Polynomial& a) { return {{a[0], a[2], a[4]}, {a[1], a[3], a[5]}}; }

Fp12 SlowProduct(const Fp12& a, const Fp12& b) {
  const Polynomial x = ToPolynomial(a);
  const Polynomial y = ToPolynomial(b);
  Polynomial product;
  product.fill(Fp2::Zero());
  for (size_t i = 0; i < 6; ++i) {
    for (size_t j = 0; j < 6; ++j) {
      Fp2 term = SlowProduct(x[i], y[j]);
      if (i + j >= 6) term = SlowProduct(term, kNonresidue);
      product[(i + j) % 6] = product[(i + j) % 6] + term;
    }
  }
  return FromPolynomial(product);
}

template <class Field>
Field Power(const Field& base, const BigInt& exponent) {
  Field power = Field::One();
  for (size_t i = exponent.BitCount(); i-- > 0;) {
    power = SlowProduct(power, power);
    if (exponent.Bit(i)) power = SlowProduct(power, base);
  }
  return power;
}

TEST_P(TowerTest, Fp2IsThatOfTheSchoolbook) {
  for (int i = 0; i < 2000; ++i) {
    const Fp2 a = AnyFp2();
    const Fp2 b = AnyFp2();
    ASSERT_EQ(a * b, SlowProduct(a, b));
    ASSERT_EQ(a.Square(), SlowProduct(a, a));
    ASSERT_EQ(a.MulByNonresidue(), SlowProduct(a, kNonresidue));
    ASSERT_EQ(a.Double(), a + a);
    ASSERT_EQ(a - b + b, a);
    ASSERT_EQ(-a + a, Fp2::Zero());
    ASSERT_EQ(a * b.c0, SlowProduct(a, {b.c0, Fp::Zero()}));
    ASSERT_EQ(SlowProduct(a.Inverse(), a), a.IsZero() ? Fp2::Zero() : Fp2::One());
  }
  const Fp2 a = RandomFp2(random_);
  EXPECT_EQ(a.Conjugate(), Power(a, P()));
}

TEST_P(TowerTest, Fp2FindsTheRootsOfSquaresAlone) {
  int squares = 0;
  for (int i = 0; i < 200; ++i) {
    Fp2 a = AnyFp2();
    if (i % 4 == 0) a.c1 = Fp::Zero();
    if (i % 4 == 1) a.c0 = Fp::Zero();
    const std::optional<Fp2> root_of_square = a.Square().Sqrt();
    ASSERT_TRUE(root_of_square.has_value());
    EXPECT_TRUE(*root_of_square == a || *root_of_square == -a);
    const std::optional<Fp2> root = a.Sqrt();
    if (root.has_value()) {
      EXPECT_EQ(root->Square(), a);
    }
    // Euler's criterion by the norm, which is a square in Fp exactly for squares.
    const bool is_square = (a.c0.Square() + a.c1.Square()).Sqrt().has_value();
    EXPECT_EQ(root.has_value(), is_square);
    squares += is_square ? 1 : 0;
    EXPECT_FALSE(a.IsZero() ? false : SlowProduct(a.Square(), kNonresidue).Sqrt().has_value());
  }
  EXPECT_GT(squares, 50);
  EXPECT_LT(squares, 190);
}

TEST_P(TowerTest, TheSignOfFp2IsThatOfItsHigherPart) {
  const Fp low = Fp::One();
  const Fp high = -Fp::One();
  EXPECT_FALSE((Fp2{high, low}.IsLexicographicallyLargest()));
  EXPECT_TRUE((Fp2{low, high}.IsLexicographicallyLargest()));
  EXPECT_TRUE((Fp2{high, Fp::Zero()}.IsLexicographicallyLargest()));
  EXPECT_FALSE((Fp2{low, Fp::Zero()}.IsLexicographicallyLargest()));
}

TEST_P(TowerTest, Fp12IsThatOfTheSchoolbook) {
  for (int i = 0; i < 500; ++i) {
    const Fp12 a = AnyFp12();
    const Fp12 b = AnyFp12();
    ASSERT_EQ(a * b, SlowProduct(a, b));
    ASSERT_EQ(a.Square(), SlowProduct(a, a));
    const Fp12 c0 = {a.c0, Fp6::Zero()};
    ASSERT_EQ((Fp12{a.c0 * b.c0, Fp6::Zero()}), SlowProduct(c0, {b.c0, Fp6::Zero()}));
    const Fp12 v = {{Fp2::Zero(), Fp2::One(), Fp2::Zero()}, Fp6::Zero()};
    ASSERT_EQ((Fp12{a.c0.MulByNonresidue(), Fp6::Zero()}), SlowProduct(c0, v));
    if (a != Fp12::Zero()) {
      ASSERT_TRUE(SlowProduct(a, a.Inverse()).IsOne());
    }
    if (!a.c0.IsZero()) {
      ASSERT_EQ(a.c0 * a.c0.Inverse(), Fp6::One());
    }
  }
  EXPECT_EQ(Fp12::Zero().Inverse(), Fp12::Zero());
}

TEST_P(TowerTest, Fp12TimesALineIsTheProduct) {
  for (int i = 0; i < 300; ++i) {
    const Fp12 a = AnyFp12();
    const Fp2 l0 = AnyFp2();
    const Fp2 l1 = AnyFp2();
    const Fp12 line = {{l0, l1, Fp2::Zero()}, {Fp2::Zero(), Fp2::One(), Fp2::Zero()}};
    ASSERT_EQ(a.MulByLine(l0, l1), SlowProduct(a, line));
  }
}

TEST_P(TowerTest, FrobeniusIsThePowerOfTheModulus) {
  const Fp12 a = AnyFp12();
  EXPECT_EQ(a.Frobenius(), Power(a, P()));
  EXPECT_EQ(a.FrobeniusSquared(), Power(a.Frobenius(), P()));
  Fp12 sixth = a;
  for (int i = 0; i < 6; ++i) sixth = sixth.Frobenius();
  EXPECT_EQ(a.Conjugate(), sixth);
}

Fp FpFromHex(const std::string& hex) {
  uint64_t limbs[6];
  EXPECT_TRUE(BigInt::FromHex(hex).ToLimbs(limbs, 6));
  return Fp::FromLimbs(limbs);
}

TEST_P(TowerTest, TheConstantsAreThoseOfTheCurve) {
  using namespace internal;  // NOLINT: all of its constants
  EXPECT_EQ(kG1B, Fp::FromUint64(4));
  EXPECT_EQ(kG1GeneratorX,
            FpFromHex("17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac5"
                      "86c55e83ff97a1aeffb3af00adb22c6bb"));
  EXPECT_EQ(kG1GeneratorY,
            FpFromHex("08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3e"
                      "dd03cc744a2888ae40caa232946c5e7e1"));
  EXPECT_EQ(kG2GeneratorX.c0,
            FpFromHex("024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3"
                      "d1770bac0326a805bbefd48056c8c121bdb8"));
  EXPECT_EQ(kG2GeneratorX.c1,
            FpFromHex("13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f"
                      "5049334cf11213945d57e5ac7d055d042b7e"));
  EXPECT_EQ(kG2GeneratorY.c0,
            FpFromHex("0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160"
                      "d12c923ac9cc3baca289e193548608b82801"));
  EXPECT_EQ(kG2GeneratorY.c1,
            FpFromHex("0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e"
                      "99ab3f370d275cec1da1aaa9075ff05f79be"));
  EXPECT_EQ(kBeta,
            FpFromHex("1a0111ea397fe699ec02408663d4de85aa0d857d89759ad4897d29650fb85f9b409427eb4"
                      "f49fffd8bfd00000000aaac"));
  EXPECT_EQ(kBetaSquared, kBeta * kBeta);
  EXPECT_EQ(kBetaSquared * kBeta, Fp::One());
  const Fp2 gamma = Power(kNonresidue, (P() - BigInt(1)) / BigInt(6));
  EXPECT_EQ(kFrobenius1, gamma);
  EXPECT_EQ(kFrobenius2, Power(gamma, BigInt(2)));
  EXPECT_EQ(kFrobenius3, Power(gamma, BigInt(3)));
  EXPECT_EQ(kFrobenius4, Power(gamma, BigInt(4)));
  EXPECT_EQ(kFrobenius5, Power(gamma, BigInt(5)));
  EXPECT_EQ(SlowProduct(kPsiX, kFrobenius2), Fp2::One());
  EXPECT_EQ(SlowProduct(kPsiY, kFrobenius3), Fp2::One());
}

}  // namespace
}  // namespace slipway::bls12_381
