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

constexpr size_t kRandomCases = 4000;

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

void ExpectInverse(const Fp& a) {
  const Fp inverse = a.Inverse();
  EXPECT_TRUE(Stored(inverse) < P());
  EXPECT_TRUE(a.IsZero() ? inverse.IsZero() : (a * inverse).IsOne()) << Stored(a).ToHex();
}

TEST_P(FpTest, InversesTimesTheirElementAreOne) {
  for (const BigInt& x : testing::Edges(P(), 384)) ExpectInverse(StoredFp(x));
  std::mt19937_64 random(62);
  for (int i = 0; i < 5000; ++i) {
    ExpectInverse(StoredFp(testing::RandomInteger(random, 384) % P()));
    ExpectInverse(Fp::FromUint64(static_cast<uint64_t>(i)));
  }
}

TEST_P(FpTest, BatchInverseLeavesZerosAndInvertsTheRest) {
  std::mt19937_64 random(7);
  for (size_t size = 0; size < 20; ++size) {
    std::vector<Fp> values(size);
    for (Fp& x : values) {
      x = random() % 4 == 0 ? Fp::Zero() : StoredFp(testing::RandomInteger(random, 384) % P());
    }
    std::vector<Fp> inverses = values;
    BatchInverse(absl::MakeSpan(inverses));
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(inverses[i], values[i].Inverse());
  }
}

// Of each pair x, -x one is the larger; a square has the roots that it was made of; -x^2 has none,
// for -1 is no square modulo p = 3 mod 4.
TEST_P(FpTest, RootsAreRootsAndNonSquaresHaveNone) {
  std::vector<Fp> values;
  for (const BigInt& x : testing::Edges(P(), 384)) values.push_back(StoredFp(x));
  std::mt19937_64 random(4);
  for (int i = 0; i < 200; ++i) {
    values.push_back(StoredFp(testing::RandomInteger(random, 384) % P()));
  }
  for (const Fp& x : values) {
    const std::optional<Fp> root = x.Square().Sqrt();
    ASSERT_TRUE(root.has_value());
    EXPECT_TRUE(*root == x || *root == -x);
    if (x.IsZero()) continue;
    EXPECT_FALSE((-x.Square()).Sqrt().has_value());
    EXPECT_NE(x.IsLexicographicallyLargest(), (-x).IsLexicographicallyLargest());
    EXPECT_EQ(x.IsLexicographicallyLargest(), (P() - BigInt(1)) / BigInt(2) < testing::ValueOf(x));
  }
}

TEST_P(FpTest, PowersAgreeWithPlainIntegers) {
  std::mt19937_64 random(5);
  for (size_t bits = 0; bits <= 384; bits += 24) {
    const BigInt x = testing::RandomInteger(random, 384) % P();
    const BigInt exponent = testing::RandomInteger(random, bits);
    uint64_t limbs[6];
    ASSERT_TRUE(exponent.ToLimbs(limbs, 6));
    uint64_t plain[6];
    ASSERT_TRUE(x.ToLimbs(plain, 6));
    EXPECT_EQ(testing::ValueOf(Fp::FromLimbs(plain).Pow(limbs)), testing::PowMod(x, exponent, P()));
  }
  EXPECT_TRUE(Fp::FromUint64(5).Pow({}).IsOne());
}

// K54's field part: 48 big-endian bytes, canonical or refused.
TEST_P(FpTest, BytesAreBigEndianAndCanonical) {
  std::vector<BigInt> values = testing::Edges(P(), 384);
  std::mt19937_64 random(6);
  for (int i = 0; i < 200; ++i) values.push_back(testing::RandomInteger(random, 384) % P());
  for (const BigInt& x : values) {
    uint8_t bytes[Fp::kBytes];
    testing::WriteBytes(x, absl::MakeSpan(bytes));
    const std::optional<Fp> parsed = Fp::FromBytes(bytes);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(testing::ValueOf(*parsed), x);
  }
  const BigInt top = BigInt::PowerOfTwo(384) - BigInt(1);
  for (const BigInt& x : {P(), P() + BigInt(1), P() + P(), BigInt::PowerOfTwo(381), top}) {
    uint8_t bytes[Fp::kBytes];
    testing::WriteBytes(x, absl::MakeSpan(bytes));
    EXPECT_FALSE(Fp::FromBytes(bytes).has_value()) << x.ToHex();
  }
}

FpWide WideFrom(const BigInt& value) {
  FpWide a;
  EXPECT_TRUE(value.ToLimbs(a.limb, 12));
  return a;
}

BigInt Stored(const FpWide& a) { return BigInt::FromLimbs(a.limb, 12); }

// Spec 4.7: each wide function at the ends of the bounds that its header states.
TEST_P(FpTest, WideValuesAgreeWithPlainIntegersWithinTheirBounds) {
  const BigInt top = P() * BigInt::PowerOfTwo(384);
  const BigInt one(1);
  std::mt19937_64 random(768);
  std::vector<BigInt> wide = {BigInt(),
                              one,
                              top - one,
                              P(),
                              P() * P(),
                              BigInt::PowerOfTwo(384),
                              BigInt::PowerOfTwo(384) - one,
                              top - BigInt::PowerOfTwo(384)};
  for (int i = 0; i < 100; ++i) wide.push_back(testing::RandomInteger(random, 768) % top);
  for (const BigInt& x : wide) {
    EXPECT_EQ(Stored(Reduce(WideFrom(x))), MontgomeryOracle(x));
    for (const BigInt& y : wide) {
      EXPECT_EQ(Stored(Add(WideFrom(x), WideFrom(y))), (x + y) % top);
      EXPECT_EQ(Stored(Sub(WideFrom(x), WideFrom(y))), (x + top - y) % top);
      EXPECT_EQ(Stored(AddUnreduced(WideFrom(x), WideFrom(y))), x + y);
      if (x < y) continue;
      EXPECT_EQ(Stored(SubUnreduced(WideFrom(x), WideFrom(y))), x - y);
    }
    if (HasFailure()) return;
  }
}

// Products of lazy operands: up to 3p each, or 4p and 2p.
TEST_P(FpTest, ProductsTakeLazyOperands) {
  std::mt19937_64 random(3);
  const BigInt one(1);
  const BigInt p2 = P() + P();
  for (int i = 0; i < 2000; ++i) {
    const bool extreme = i % 4 == 0;
    const BigInt bound_x = i % 2 == 0 ? p2 + P() : p2 + p2;
    const BigInt bound_y = i % 2 == 0 ? p2 + P() : p2;
    const BigInt x = extreme ? bound_x - one : testing::RandomInteger(random, 384) % bound_x;
    const BigInt y = i % 8 == 0 ? bound_y - one : testing::RandomInteger(random, 384) % bound_y;
    const Fp a = StoredFp(x);
    const Fp b = StoredFp(y);
    EXPECT_EQ(Stored(a * b), MontgomeryOracle(x * y));
    EXPECT_EQ(Stored(MulWide(a, b)), x * y);
    EXPECT_EQ(Stored(SquareWide(a)), x * x);
    EXPECT_EQ(Stored(SquareWide(b)), y * y);
    if (HasFailure()) return;
    if (i % 2 != 0) continue;
    EXPECT_EQ(Stored(a.Square()), MontgomeryOracle(x * x));
  }
  // The wide product takes any operands at all.
  const Fp all = StoredFp(BigInt::PowerOfTwo(384) - one);
  EXPECT_EQ(Stored(MulWide(all, all)), Stored(all) * Stored(all));
  EXPECT_EQ(Stored(SquareWide(all)), Stored(all) * Stored(all));
}

#ifndef NDEBUG
// Spec 4.7: a lazy value beyond its bound gives silent nonsense, so builds for tests look at each.
TEST(FpBoundsDeathTest, OperandsBeyondTheirBoundStopTheTest) {
  const BigInt one(1);
  const Fp beyond = StoredFp(P() + P() + P() + P() - one);
  EXPECT_DEATH(static_cast<void>(beyond * beyond), "IsInProductBound");
  EXPECT_DEATH(static_cast<void>(beyond.Square()), "IsInProductBound");
  EXPECT_DEATH(static_cast<void>(SubUnreduced(WideFrom(one), WideFrom(P()))), "borrow");
  EXPECT_DEATH(static_cast<void>(Reduce(WideFrom(P() * BigInt::PowerOfTwo(384)))), "LessLimbs");
}
#endif

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
