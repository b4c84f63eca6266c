// Points of both groups against doubling and adding (spec 2.1), and the subgroup checks against
// their meaning (K55), under each back end.
#include <gtest/gtest.h>

#include "bls12_381/curve_constants.h"
#include "bls12_381/glv.h"
#include "bls12_381/test_field.h"
#include "bls12_381/test_points.h"

namespace slipway::bls12_381 {
namespace {

using testing::RandomFr;
using testing::RandomG1;
using testing::RandomG2;
using testing::SlowMultiply;

class GroupTest : public testing::EachBackend {
 protected:
  std::mt19937_64 random_{21};
};
SLIPWAY_EACH_BACKEND(GroupTest);

// The chord-and-tangent rule as in a textbook, with an inversion each time.
template <class F>
AffinePoint<F> TextbookSum(const AffinePoint<F>& a, const AffinePoint<F>& b) {
  if (a.infinity) return b;
  if (b.infinity) return a;
  if (a.x == b.x && a.y == -b.y) return AffinePoint<F>::Identity();
  const F slope = a == b ? (a.x.Square().Double() + a.x.Square()) * a.y.Double().Inverse()
                         : (b.y - a.y) * (b.x - a.x).Inverse();
  const F x = slope.Square() - a.x - b.x;
  return {x, slope * (a.x - x) - a.y, false};
}

// Another representative of the same point.
template <class F>
JacobianPoint<F> Scaled(const JacobianPoint<F>& p, const F& factor) {
  const F square = factor.Square();
  return {p.x * square, p.y * square * factor, p.z * factor};
}

template <class F>
void ExpectAdditions(const std::vector<AffinePoint<F>>& points, const F& factor) {
  for (const AffinePoint<F>& a : points) {
    for (const AffinePoint<F>& b : points) {
      const AffinePoint<F> sum = TextbookSum(a, b);
      const JacobianPoint<F> left = Scaled(JacobianPoint<F>::FromAffine(a), factor);
      const JacobianPoint<F> right = Scaled(JacobianPoint<F>::FromAffine(b), factor + factor);
      EXPECT_EQ((left + right).ToAffine(), sum);
      EXPECT_EQ((left + b).ToAffine(), sum);
      EXPECT_EQ((left - -right).ToAffine(), sum);
      EXPECT_EQ((left - -b).ToAffine(), sum);
      EXPECT_EQ(left == right, a == b);
      EXPECT_TRUE((left + right).IsOnCurve());
    }
    EXPECT_EQ(Scaled(JacobianPoint<F>::FromAffine(a), factor).Double().ToAffine(),
              TextbookSum(a, a));
  }
}

TEST_P(GroupTest, AdditionIsThatOfTheTextbookForAllKindsOfPoints) {
  for (int round = 0; round < 5; ++round) {
    const G1Affine p = RandomG1(random_);
    ExpectAdditions<Fp>({G1Affine::Identity(), p, -p, RandomG1(random_), testing::OrderThree(),
                         -testing::OrderThree(), testing::RandomCurvePoint1(random_)},
                        testing::RandomFp(random_));
    const G2Affine q = RandomG2(random_);
    ExpectAdditions<Fp2>(
        {G2Affine::Identity(), q, -q, RandomG2(random_), testing::RandomCurvePoint2(random_)},
        testing::RandomFp2(random_));
  }
}

TEST_P(GroupTest, GeneratorsAreOfOrderR) {
  EXPECT_TRUE(G1Affine::Generator().IsOnCurve());
  EXPECT_TRUE(G2Affine::Generator().IsOnCurve());
  EXPECT_TRUE(testing::SlowIsInSubgroup(G1Affine::Generator()));
  EXPECT_TRUE(testing::SlowIsInSubgroup(G2Affine::Generator()));
}

TEST_P(GroupTest, MultiplicationIsThatByDoublingAndAdding) {
  std::vector<Fr> scalars = testing::EdgeScalars();
  for (int i = 0; i < 50; ++i) scalars.push_back(RandomFr(random_));
  const G1 p = G1::FromAffine(RandomG1(random_));
  const G2 q = G2::FromAffine(RandomG2(random_));
  for (const Fr& scalar : scalars) {
    EXPECT_EQ(p * scalar, SlowMultiply(p, scalar));
    EXPECT_EQ(q * scalar, SlowMultiply(q, scalar));
    EXPECT_EQ(MultiplyGenerator(scalar), SlowMultiply(G1::Generator(), scalar));
  }
  EXPECT_TRUE((G1::Identity() * scalars.back()).IsIdentity());
  EXPECT_TRUE((G2::Identity() * scalars.back()).IsIdentity());
}

TEST_P(GroupTest, ManyPointsBecomeAffineTogether) {
  std::vector<G1> points;
  for (int i = 0; i < 20; ++i) {
    points.push_back(i % 3 == 1 ? G1::Identity()
                                : Scaled(G1::FromAffine(RandomG1(random_)), Fp::FromUint64(7)));
  }
  std::vector<G1Affine> affine(points.size());
  G1::BatchToAffine(points, absl::MakeSpan(affine));
  for (size_t i = 0; i < points.size(); ++i) EXPECT_EQ(affine[i], points[i].ToAffine());
  G1::BatchToAffine({}, {});
  const std::vector<G1> nothing(3, G1::Identity());
  G1::BatchToAffine(nothing, absl::MakeSpan(affine).first(3));
  EXPECT_EQ(affine[2], G1Affine::Identity());
}

// The cofactor of G1's curve.
constexpr uint64_t kCofactor1[2] = {0x8c00aaab0000aaab, 0x396c8c005555e156};

TEST_P(GroupTest, TheSubgroupCheckIsExact) {
  int outside = 0;
  for (int i = 0; i < 1000; ++i) {
    G1Affine point = testing::RandomCurvePoint1(random_);
    EXPECT_FALSE(point.IsInSubgroup());
    outside += testing::SlowIsInSubgroup(point) ? 0 : 1;
    if (i % 10 == 0) {
      point = G1::FromAffine(point).MultiplyAnywhere(kCofactor1).ToAffine();
      EXPECT_TRUE(point.IsInSubgroup());
      EXPECT_TRUE(testing::SlowIsInSubgroup(point));
    }
  }
  EXPECT_EQ(outside, 1000);
  EXPECT_TRUE(G1Affine::Identity().IsInSubgroup());
}

TEST_P(GroupTest, TheSubgroupCheckSeesSmallOrders) {
  // The cofactor is 3 * 11^2 * 10177^2 * 859267^2 * 52437899^2: a point of each of these orders,
  // alone and added to a point of the subgroup.
  EXPECT_FALSE(testing::OrderThree().IsInSubgroup());
  EXPECT_FALSE((-testing::OrderThree()).IsInSubgroup());
  const testing::BigInt group = testing::BigInt::FromLimbs(kCofactor1, 2) * testing::R();
  for (const uint64_t prime : {3u, 11u, 10177u, 859267u, 52437899u}) {
    testing::BigInt rest = group;
    while (rest % testing::BigInt(prime) == testing::BigInt()) rest = rest / testing::BigInt(prime);
    uint64_t limbs[6];
    ASSERT_TRUE(rest.ToLimbs(limbs, 6));
    G1 small = G1::Identity();
    while (small.IsIdentity()) {
      small = G1::FromAffine(testing::RandomCurvePoint1(random_)).MultiplyAnywhere(limbs);
    }
    EXPECT_FALSE(small.IsInSubgroup()) << prime;
    EXPECT_FALSE((small + RandomG1(random_)).IsInSubgroup()) << prime;
    EXPECT_TRUE(small.MultiplyAnywhere(absl::MakeConstSpan(kCofactor1)).IsIdentity()) << prime;
  }
}

TEST_P(GroupTest, TheSubgroupCheckOfTheTwistIsExact) {
  for (int i = 0; i < 100; ++i) {
    const G2Affine point = testing::RandomCurvePoint2(random_);
    EXPECT_FALSE(point.IsInSubgroup());
    EXPECT_FALSE(testing::SlowIsInSubgroup(point));
    EXPECT_TRUE(RandomG2(random_).IsInSubgroup());
  }
  EXPECT_TRUE(G2Affine::Identity().IsInSubgroup());
}

TEST_P(GroupTest, TheEndomorphismMultipliesByLambda) {
  const Fr lambda = Fr::FromLimbs({0x00000000ffffffff, 0xac45a4010001a402, 0, 0});
  EXPECT_TRUE((lambda.Square() + lambda + Fr::One()).IsZero());
  const G1Affine p = RandomG1(random_);
  const G1Affine image = {p.x * internal::kBeta, p.y, false};
  EXPECT_EQ(SlowMultiply(G1::FromAffine(p), lambda).ToAffine(), image);
  const Fr x_squared = Fr::FromUint64(internal::kParameter).Square();
  const G1Affine other = {p.x * internal::kBetaSquared, p.y, false};
  EXPECT_EQ(SlowMultiply(G1::FromAffine(p), -x_squared).ToAffine(), other);
}

TEST_P(GroupTest, SplitScalarsAddUpAgain) {
  const Fr lambda = Fr::FromLimbs({0x00000000ffffffff, 0xac45a4010001a402, 0, 0});
  const Fr parameter = Fr::FromUint64(internal::kParameter);
  std::vector<Fr> scalars = testing::EdgeScalars();
  for (uint64_t i = 0; i < 5; ++i) {  // around the multiples of lambda, where a quotient may slip
    for (uint64_t j = 0; j < 3; ++j) {
      const Fr multiple = lambda * (lambda - Fr::FromUint64(i));
      scalars.push_back(multiple + Fr::FromUint64(j));
      scalars.push_back(multiple - Fr::FromUint64(j));
    }
  }
  for (int i = 0; i < 2000; ++i) scalars.push_back(RandomFr(random_));
  for (const Fr& scalar : scalars) {
    const internal::GlvScalar split = internal::SplitScalar(scalar);
    const Fr low = Fr::FromLimbs({split.low[0], split.low[1], 0, 0});
    const Fr high = Fr::FromLimbs({split.high[0], split.high[1], 0, 0});
    ASSERT_EQ(low + high * lambda, scalar);
    Fr sum = Fr::Zero();
    const std::array<uint64_t, 4> digits = internal::SplitByParameter(scalar);
    for (size_t i = 4; i-- > 0;) {
      ASSERT_LT(digits[i], internal::kParameter);
      sum = sum * parameter + Fr::FromUint64(digits[i]);
    }
    ASSERT_EQ(sum, scalar);
  }
}

TEST_P(GroupTest, TheNonAdjacentFormIsThatOfTheInteger) {
  for (int width = 2; width <= 7; ++width) {
    for (int round = 0; round < 300; ++round) {
      std::array<uint64_t, 2> k = {random_(), random_()};
      if (round % 5 == 0) k[1] = ~uint64_t{0};
      if (round % 7 == 0) k[0] = ~uint64_t{0};
      if (round % 11 == 0) k = {0, 0};
      std::array<int8_t, 129> digits;
      digits.fill(99);
      const int length = internal::WidthNaf(k, width, absl::MakeSpan(digits));
      Fr sum = Fr::Zero();
      int last = -width;
      for (int i = length - 1; i >= 0; --i) {
        const int digit = digits[static_cast<size_t>(i)];
        const Fr magnitude = Fr::FromUint64(static_cast<uint64_t>(std::abs(digit)));
        sum = sum.Double() + (digit < 0 ? -magnitude : magnitude);
        if (digit == 0) continue;
        ASSERT_EQ(std::abs(digit) % 2, 1);
        ASSERT_LT(std::abs(digit), 1 << (width - 1));
        if (last >= 0) {
          ASSERT_GE(last - i, width);
        }
        last = i;
      }
      ASSERT_EQ(sum, Fr::FromLimbs({k[0], k[1], 0, 0}));
      if (length > 0) {
        ASSERT_NE(digits[static_cast<size_t>(length - 1)], 0);
      }
    }
  }
}

}  // namespace
}  // namespace slipway::bls12_381
