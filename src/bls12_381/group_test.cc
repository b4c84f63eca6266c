// Points of both groups against doubling and adding (K55), under each back end.
#include <gtest/gtest.h>

#include "bls12_381/encoding.h"
#include "bls12_381/msm.h"
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

}  // namespace
}  // namespace slipway::bls12_381
