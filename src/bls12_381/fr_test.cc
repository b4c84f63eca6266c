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

constexpr size_t kRandomCases = 4000;

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

void ExpectInverse(const Fr& a) {
  const Fr inverse = a.Inverse();
  EXPECT_TRUE(Stored(inverse) < R());
  EXPECT_TRUE(a.IsZero() ? inverse.IsZero() : (a * inverse).IsOne()) << Stored(a).ToHex();
}

TEST_P(FrTest, InversesTimesTheirElementAreOne) {
  for (const BigInt& x : testing::Edges(R(), 256)) ExpectInverse(StoredFr(x));
  std::mt19937_64 random(62);
  for (int i = 0; i < 5000; ++i) {
    ExpectInverse(StoredFr(testing::RandomInteger(random, 256) % R()));
    ExpectInverse(Fr::FromUint64(static_cast<uint64_t>(i)));
  }
}

TEST_P(FrTest, BatchInverseLeavesZerosAndInvertsTheRest) {
  std::mt19937_64 random(7);
  for (size_t size = 0; size < 20; ++size) {
    std::vector<Fr> values(size);
    for (Fr& x : values) {
      x = random() % 4 == 0 ? Fr::Zero() : StoredFr(testing::RandomInteger(random, 256) % R());
    }
    std::vector<Fr> inverses = values;
    BatchInverse(absl::MakeSpan(inverses));
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(inverses[i], values[i].Inverse());
  }
}

// 7 generates the whole group: no odd power of it is a square.
TEST_P(FrTest, RootsAreRootsAndNonSquaresHaveNone) {
  std::vector<Fr> values;
  for (const BigInt& x : testing::Edges(R(), 256)) values.push_back(StoredFr(x));
  std::mt19937_64 random(4);
  for (int i = 0; i < 200; ++i) {
    values.push_back(StoredFr(testing::RandomInteger(random, 256) % R()));
  }
  for (const Fr& x : values) {
    const std::optional<Fr> root = x.Square().Sqrt();
    ASSERT_TRUE(root.has_value());
    EXPECT_TRUE(*root == x || *root == -x);
    if (x.IsZero()) continue;
    EXPECT_FALSE((x.Square() * Fr::FromUint64(7)).Sqrt().has_value());
  }
}

TEST_P(FrTest, PowersAgreeWithPlainIntegers) {
  std::mt19937_64 random(5);
  for (size_t bits = 0; bits <= 256; bits += 16) {
    const BigInt x = testing::RandomInteger(random, 256) % R();
    const BigInt exponent = testing::RandomInteger(random, bits);
    uint64_t limbs[4];
    ASSERT_TRUE(exponent.ToLimbs(limbs, 4));
    std::array<uint64_t, 4> plain;
    ASSERT_TRUE(x.ToLimbs(plain.data(), 4));
    EXPECT_EQ(testing::ValueOf(Fr::FromLimbs(plain).Pow(limbs)), testing::PowMod(x, exponent, R()));
  }
}

// K53: 32 big-endian bytes, below r or refused.
TEST_P(FrTest, BytesAreBigEndianAndCanonical) {
  std::vector<BigInt> values = testing::Edges(R(), 256);
  std::mt19937_64 random(6);
  for (int i = 0; i < 200; ++i) values.push_back(testing::RandomInteger(random, 256) % R());
  for (const BigInt& x : values) {
    uint8_t bytes[Fr::kBytes];
    testing::WriteBytes(x, absl::MakeSpan(bytes));
    const std::optional<Fr> parsed = Fr::FromBytes(bytes);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(testing::ValueOf(*parsed), x);
    const std::array<uint64_t, 4> limbs = parsed->ToLimbs();
    EXPECT_EQ(BigInt::FromLimbs(limbs.data(), 4), x);
    EXPECT_EQ(Fr::FromLimbs(limbs), *parsed);
  }
  const BigInt top = BigInt::PowerOfTwo(256) - BigInt(1);
  for (const BigInt& x : {R(), R() + BigInt(1), R() + R(), BigInt::PowerOfTwo(255), top}) {
    uint8_t bytes[Fr::kBytes];
    testing::WriteBytes(x, absl::MakeSpan(bytes));
    EXPECT_FALSE(Fr::FromBytes(bytes).has_value()) << x.ToHex();
  }
}

// K53: a hash of any length becomes the integer modulo r.
TEST_P(FrTest, BytesOfAnyLengthAreReduced) {
  std::mt19937_64 random(8);
  EXPECT_TRUE(Fr::FromBytesReduced({}).IsZero());
  for (size_t size = 1; size <= 100; ++size) {
    const BigInt x = size % 3 == 0 ? BigInt::PowerOfTwo(8 * size) - BigInt(1)
                                   : testing::RandomInteger(random, 8 * size);
    std::vector<uint8_t> bytes(size);
    testing::WriteBytes(x, absl::MakeSpan(bytes));
    EXPECT_EQ(testing::ValueOf(Fr::FromBytesReduced(bytes)), x % R());
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

// The polynomial at root^i for all i, by Horner's rule.
std::vector<Fr> Evaluate(const std::vector<Fr>& coefficients, const Fr& root) {
  std::vector<Fr> values;
  Fr point = Fr::One();
  for (size_t i = 0; i < coefficients.size(); ++i) {
    Fr value = Fr::Zero();
    for (size_t j = coefficients.size(); j-- > 0;) value = value * point + coefficients[j];
    values.push_back(value);
    point = point * root;
  }
  return values;
}

std::vector<Fr> RandomVector(std::mt19937_64& random, size_t size) {
  std::vector<Fr> values(size);
  for (Fr& x : values) x = StoredFr(testing::RandomInteger(random, 256) % R());
  return values;
}

TEST_P(FrTest, TransformsAgreeWithNaiveEvaluation) {
  std::mt19937_64 random(1);
  for (int log2 = 0; log2 <= 9; ++log2) {
    const Fft fft(log2);
    ASSERT_EQ(fft.size(), size_t{1} << log2);
    const std::vector<Fr> coefficients = RandomVector(random, fft.size());
    const std::vector<Fr> expected = Evaluate(coefficients, Fr::RootOfUnity(log2));
    std::vector<Fr> values = coefficients;
    fft.Forward(absl::MakeSpan(values));
    EXPECT_TRUE(values == expected) << log2;
    fft.Inverse(absl::MakeSpan(values));
    EXPECT_TRUE(values == coefficients) << log2;
    fft.ForwardToBitReversed(absl::MakeSpan(values));
    std::vector<Fr> ordered = values;
    BitReverse(absl::MakeSpan(ordered));
    EXPECT_TRUE(ordered == expected) << log2;
    fft.InverseFromBitReversed(absl::MakeSpan(values));
    EXPECT_TRUE(values == coefficients) << log2;
  }
}

// The largest stored values in each place: what a lazy sum could overflow. All sizes that the
// vector back end takes, and one on either side.
TEST_P(FrTest, TransformsOfTheLargestValuesAreExact) {
  const Fr largest = StoredFr(R() - BigInt(1));
  for (int log2 = 5; log2 <= 16; ++log2) {
    const Fft fft(log2);
    std::vector<Fr> values(fft.size(), largest);
    fft.Forward(absl::MakeSpan(values));
    EXPECT_EQ(values[0], Fr::FromUint64(fft.size()) * largest) << log2;
    for (size_t i = 1; i < values.size(); ++i) ASSERT_TRUE(values[i].IsZero()) << log2;
    fft.Inverse(absl::MakeSpan(values));
    for (const Fr& x : values) ASSERT_EQ(x, largest) << log2;
    // A single one at an odd place becomes powers of a root, a wave whose sums reach all signs.
    for (size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? largest : -largest;
    fft.Forward(absl::MakeSpan(values));
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i].IsZero(), i != fft.size() / 2) << log2;
    }
  }
}

// Compared with the portable kernels, which the naive evaluation above holds.
TEST_P(FrTest, LargeTransformsAreThoseOfThePortableKernels) {
  std::mt19937_64 random(12);
  for (const int log2 : {12, 13, 15}) {
    const std::vector<Fr> input = RandomVector(random, size_t{1} << log2);
    const Fft fft(log2);
    for (const auto transform :
         {&Fft::Forward, &Fft::Inverse, &Fft::ForwardToBitReversed, &Fft::InverseFromBitReversed}) {
      std::vector<Fr> values = input;
      (fft.*transform)(absl::MakeSpan(values));
      ASSERT_TRUE(ForceBackend(CpuBackend::kPortable));
      std::vector<Fr> expected = input;
      (fft.*transform)(absl::MakeSpan(expected));
      ASSERT_TRUE(ForceBackend(GetParam()));
      EXPECT_TRUE(values == expected) << log2;
    }
  }
}

}  // namespace
}  // namespace slipway::bls12_381
