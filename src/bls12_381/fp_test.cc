// The base field against plain integers (K53, spec 2.1, 4.3), under each back end.
#include "bls12_381/fp.h"

#include <gtest/gtest.h>

#include "bls12_381/fp_wide.h"
#include "bls12_381/test_field.h"

namespace slipway::bls12_381 {
namespace {

using testing::BigInt;
using testing::P;
using testing::Stored;
using testing::StoredFp;

class FpTest : public testing::EachBackend {};
SLIPWAY_EACH_BACKEND(FpTest);

constexpr size_t kRandomCases = 2000;

// What a product of stored values is: a * b / 2^384 mod p.
BigInt MontgomeryOracle(const BigInt& product) {
  static const BigInt inverse =
      testing::PowMod(BigInt::PowerOfTwo(384) % P(), P() - BigInt(2), P());
  return product % P() * inverse % P();
}

void ExpectArithmetic(const Fp& a, const Fp& b) {
  const BigInt x = Stored(a);
  const BigInt y = Stored(b);
  EXPECT_EQ(Stored(a + b), (x + y) % P());
  EXPECT_EQ(Stored(a - b), (x + P() - y) % P());
  EXPECT_EQ(Stored(-a), (P() - x) % P());
  EXPECT_EQ(Stored(a.Double()), (x + x) % P());
  EXPECT_EQ(Stored(a.Half() + a.Half()), x);
  EXPECT_EQ(Stored(a * b), MontgomeryOracle(x * y));
  EXPECT_EQ(Stored(a.Square()), MontgomeryOracle(x * x));
  EXPECT_EQ(a == b, x == y);
  EXPECT_EQ(Stored(AddLazy(a, b)), x + y);
  EXPECT_EQ(Stored(SubLazy(a, b)), x + P() - y);
}

TEST(FpConstants, AreWhatTheSpecificationSays) {
  EXPECT_EQ(BigInt::FromLimbs(kFpModulus, 6), P());
  EXPECT_EQ(P().BitCount(), 381u);
  EXPECT_EQ(P() % BigInt(4), BigInt(3));
  EXPECT_EQ((BigInt(kFpInverse) * P() + BigInt(1)) % BigInt::PowerOfTwo(64), BigInt());
  EXPECT_EQ(Stored(Fp::One()), BigInt::PowerOfTwo(384) % P());
  // p = (x - 1)^2 * r / 3 + x with x negative.
  const BigInt x = BigInt::FromHex("d201000000010000");
  const BigInt square = (x + BigInt(1)) * (x + BigInt(1));
  EXPECT_EQ((P() + x) * BigInt(3), square * testing::R());
}

TEST_P(FpTest, EdgesAgreeWithPlainIntegers) {
  const std::vector<BigInt> edges = testing::Edges(P(), 384);
  for (const BigInt& x : edges) {
    for (const BigInt& y : edges) ExpectArithmetic(StoredFp(x), StoredFp(y));
  }
}

TEST_P(FpTest, RandomValuesAgreeWithPlainIntegers) {
  std::mt19937_64 random(381);
  for (size_t i = 0; i < kRandomCases; ++i) {
    ExpectArithmetic(StoredFp(testing::RandomInteger(random, 384) % P()),
                     StoredFp(testing::RandomInteger(random, 384) % P()));
    if (HasFailure()) return;
  }
}

// Lengths around the width of the vectors, in place too: each element as if it were alone.
TEST_P(FpTest, BatchesAgreeWithSingleProducts) {
  std::mt19937_64 random(52);
  const std::vector<BigInt> edges = testing::Edges(P(), 384);
  std::vector<Fp> pool;
  for (const BigInt& x : edges) pool.push_back(StoredFp(x));
  for (int i = 0; i < 200; ++i) {
    pool.push_back(StoredFp(testing::RandomInteger(random, 384) % P()));
  }
  for (size_t size = 0; size <= 40; ++size) {
    std::vector<Fp> a(size);
    std::vector<Fp> b(size);
    for (Fp& x : a) x = pool[random() % pool.size()];
    for (Fp& x : b) x = pool[random() % pool.size()];
    std::vector<Fp> products(size);
    std::vector<Fp> squares(size);
    for (size_t i = 0; i < size; ++i) {
      products[i] = StoredFp(MontgomeryOracle(Stored(a[i]) * Stored(b[i])));
      squares[i] = StoredFp(MontgomeryOracle(Stored(a[i]) * Stored(a[i])));
    }
    std::vector<Fp> out(size);
    SquareBatch(absl::MakeSpan(out), a);
    EXPECT_TRUE(out == squares);
    MulBatch(absl::MakeSpan(out), a, b);
    EXPECT_TRUE(out == products);
    MulBatch(absl::MakeSpan(a), a, b);
    EXPECT_TRUE(a == products);
  }
}

}  // namespace
}  // namespace slipway::bls12_381
