// The scalar field against plain integers (K53, spec 2.1), under each back end.
#include "bls12_381/fr.h"

#include <gtest/gtest.h>

#include "bls12_381/fr_fft.h"
#include "bls12_381/test_field.h"

namespace slipway::bls12_381 {
namespace {

using testing::BigInt;
using testing::R;
using testing::Stored;
using testing::StoredFr;

class FrTest : public testing::EachBackend {};
SLIPWAY_EACH_BACKEND(FrTest);

constexpr size_t kRandomCases = 2000;

BigInt MontgomeryOracle(const BigInt& product) {
  static const BigInt inverse =
      testing::PowMod(BigInt::PowerOfTwo(256) % R(), R() - BigInt(2), R());
  return product % R() * inverse % R();
}

void ExpectArithmetic(const Fr& a, const Fr& b) {
  const BigInt x = Stored(a);
  const BigInt y = Stored(b);
  EXPECT_EQ(Stored(a + b), (x + y) % R());
  EXPECT_EQ(Stored(a - b), (x + R() - y) % R());
  EXPECT_EQ(Stored(-a), (R() - x) % R());
  EXPECT_EQ(Stored(a.Double()), (x + x) % R());
  EXPECT_EQ(Stored(a * b), MontgomeryOracle(x * y));
  EXPECT_EQ(Stored(a.Square()), MontgomeryOracle(x * x));
  EXPECT_EQ(a == b, x == y);
}

TEST_P(FrTest, EdgesAgreeWithPlainIntegers) {
  const std::vector<BigInt> edges = testing::Edges(R(), 256);
  for (const BigInt& x : edges) {
    for (const BigInt& y : edges) ExpectArithmetic(StoredFr(x), StoredFr(y));
  }
}

TEST_P(FrTest, RandomValuesAgreeWithPlainIntegers) {
  std::mt19937_64 random(255);
  for (size_t i = 0; i < kRandomCases; ++i) {
    ExpectArithmetic(StoredFr(testing::RandomInteger(random, 256) % R()),
                     StoredFr(testing::RandomInteger(random, 256) % R()));
    if (HasFailure()) return;
  }
}

// 7^((r - 1) / 8192), from the specification.
TEST_P(FrTest, RootsOfUnityAreThoseOfTheSpecification) {
  EXPECT_EQ(testing::ValueOf(Fr::RootOfUnity(13)),
            BigInt::FromHex("485d512737b1da3d2ccddea2972e89ed146b58bc434906ac6fdd00bfc78c8967"));
  for (int log2 = 0; log2 <= kFrTwoAdicity; ++log2) {
    const BigInt order = (R() - BigInt(1)) / BigInt::PowerOfTwo(static_cast<size_t>(log2));
    EXPECT_EQ(testing::ValueOf(Fr::RootOfUnity(log2)), testing::PowMod(BigInt(7), order, R()));
  }
}

TEST_P(FrTest, TransformsAgreeWithNaiveEvaluation) {
  std::mt19937_64 random(1);
  for (int log2 = 0; log2 <= 6; ++log2) {
    const Fft fft(log2);
    std::vector<Fr> coefficients(fft.size());
    for (Fr& c : coefficients) c = StoredFr(testing::RandomInteger(random, 256) % R());
    std::vector<Fr> values = coefficients;
    fft.Forward(absl::MakeSpan(values));
    Fr point = Fr::One();
    for (const Fr& value : values) {
      Fr expected = Fr::Zero();
      for (size_t j = coefficients.size(); j-- > 0;) expected = expected * point + coefficients[j];
      EXPECT_EQ(Stored(value), Stored(expected));
      point = point * Fr::RootOfUnity(log2);
    }
    fft.Inverse(absl::MakeSpan(values));
    EXPECT_TRUE(values == coefficients);
  }
}

}  // namespace
}  // namespace slipway::bls12_381
