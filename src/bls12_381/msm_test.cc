// Sums of multiples against doubling and adding, and each special case of a batched addition (K69).
#include "bls12_381/msm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "bls12_381/batch_affine.h"
#include "bls12_381/bucket_sums.h"
#include "bls12_381/fixed_base_table.h"
#include "bls12_381/test_field.h"
#include "bls12_381/test_points.h"

namespace slipway::bls12_381 {
namespace {

using testing::RandomFr;
using testing::RandomG1;
using testing::SlowMsm;
using testing::SlowMultiply;

class MsmTest : public testing::EachBackend {
 protected:
  // Cheap random points: a few random ones, and sums of them.
  std::vector<G1Affine> RandomPoints(size_t count) {
    std::vector<G1> points(count);
    const G1 step = G1::FromAffine(RandomG1(random_));
    G1 running = G1::FromAffine(RandomG1(random_));
    for (G1& point : points) {
      point = running;
      running = running.Double() + step;
    }
    std::vector<G1Affine> affine(count);
    G1::BatchToAffine(points, absl::MakeSpan(affine));
    return affine;
  }
  std::vector<Fr> RandomScalars(size_t count) {
    std::vector<Fr> scalars(count);
    for (Fr& scalar : scalars) scalar = RandomFr(random_);
    return scalars;
  }
  // Points and scalars that meet each other in buckets in all special ways.
  void MakeAwkward(std::vector<G1Affine>& points, std::vector<Fr>& scalars) {
    const std::vector<Fr> edges = testing::EdgeScalars();
    for (size_t i = 0; i < points.size(); ++i) {
      switch (random_() % 6) {
        case 0:
          points[i] = points[random_() % points.size()];
          break;
        case 1:
          points[i] = -points[random_() % points.size()];
          break;
        case 2:
          points[i] = G1Affine::Identity();
          break;
        default:
          break;
      }
      switch (random_() % 4) {
        case 0:
          scalars[i] = scalars[random_() % scalars.size()];
          break;
        case 1:
          scalars[i] = -scalars[random_() % scalars.size()];
          break;
        case 2:
          scalars[i] = edges[random_() % edges.size()];
          break;
        default:
          break;
      }
    }
  }
  std::mt19937_64 random_{22};
};
SLIPWAY_EACH_BACKEND(MsmTest);

// Runs bodies backwards on two threads: another order than that of a loop.
void RunOnTwoThreads(size_t count, absl::FunctionRef<void(size_t)> body) {
  std::thread other([&] {
    for (size_t i = count; i-- > 0;) {
      if (i % 2 == 0) body(i);
    }
  });
  for (size_t i = count; i-- > 0;) {
    if (i % 2 == 1) body(i);
  }
  other.join();
}

TEST_P(MsmTest, ABatchedAdditionIsRightForEveryPairOfKinds) {
  const G1Affine p = RandomG1(random_);
  const G1Affine q = RandomG1(random_);
  const std::vector<G1Affine> kinds = {G1Affine::Identity(),  p, -p, q, -q, testing::OrderThree(),
                                       -testing::OrderThree()};
  BatchAdder adder;
  for (const size_t copies : {1, 3, 40}) {  // fewer and more than share an inversion
    std::vector<G1Entry> sums(kinds.size() * kinds.size() * copies);
    size_t at = 0;
    for (size_t copy = 0; copy < copies; ++copy) {
      for (const G1Affine& a : kinds) {
        for (const G1Affine& b : kinds) {
          adder.Add(G1Entry::FromAffine(a), G1Entry::FromAffine(b), &sums[at++]);
        }
      }
    }
    adder.Flush();
    at = 0;
    for (size_t copy = 0; copy < copies; ++copy) {
      for (const G1Affine& a : kinds) {
        for (const G1Affine& b : kinds) {
          EXPECT_EQ(sums[at++].ToAffine(), (G1::FromAffine(a) + b).ToAffine());
        }
      }
    }
  }
}

TEST_P(MsmTest, ABatchOfAnyLengthIsRight) {
  const std::vector<G1Affine> points = RandomPoints(2 * BatchAdder::kPairs + 3);
  BatchAdder adder;
  std::vector<size_t> lengths = {BatchAdder::kPairs - 1, BatchAdder::kPairs, points.size()};
  for (size_t length = 0; length < 40; ++length) lengths.push_back(length);
  for (const size_t length : lengths) {
    std::vector<G1Entry> doubles(length);
    for (size_t i = 0; i < length; ++i) {
      const G1Entry point = G1Entry::FromAffine(points[i]);
      i % 2 == 0 ? adder.Double(point, &doubles[i])
                 : adder.Add(point, G1Entry::FromAffine(points[i - 1]), &doubles[i]);
    }
    adder.Flush();
    for (size_t i = 0; i < length; ++i) {
      const G1Affine other = points[i % 2 == 0 ? i : i - 1];
      ASSERT_EQ(doubles[i].ToAffine(), (G1::FromAffine(points[i]) + other).ToAffine()) << i;
    }
  }
}

TEST_P(MsmTest, ASumMayBeWrittenOverItsOperands) {
  BatchAdder adder;
  const std::vector<G1Affine> points = RandomPoints(2000);
  std::vector<G1Entry> entries(points.size());
  G1 expected = G1::Identity();
  for (size_t i = 0; i < points.size(); ++i) {
    entries[i] = G1Entry::FromAffine(points[i]);
    expected = expected + points[i];
  }
  size_t count = entries.size();
  while (count > 1) {
    for (size_t i = 0; i < count / 2; ++i) {
      adder.Add(entries[2 * i], entries[2 * i + 1], &entries[i]);
    }
    if (count % 2 != 0) entries[count / 2] = entries[count - 1];
    adder.Flush();
    count = (count + 1) / 2;
  }
  EXPECT_EQ(entries[0].ToAffine(), expected.ToAffine());
}

TEST_P(MsmTest, MsmIsTheSumOfMultiples) {
  for (const size_t count : {0, 1, 2, 3, 7, 8, 9, 10, 17, 64, 129, 300}) {
    std::vector<G1Affine> points = RandomPoints(count);
    std::vector<Fr> scalars = RandomScalars(count);
    EXPECT_EQ(Msm(points, scalars), SlowMsm<Fp>(points, scalars)) << count;
    for (int round = 0; round < 3; ++round) {
      MakeAwkward(points, scalars);
      ASSERT_EQ(Msm(points, scalars), SlowMsm<Fp>(points, scalars)) << count;
    }
  }
}

TEST_P(MsmTest, MsmOfUniformInputIsRight) {
  for (const size_t count : {8, 9, 700}) {
    const std::vector<G1Affine> points(count, RandomG1(random_));
    for (const Fr& scalar : {Fr::Zero(), Fr::One(), -Fr::One(), RandomFr(random_)}) {
      const std::vector<Fr> scalars(count, scalar);
      EXPECT_EQ(Msm(points, scalars),
                SlowMultiply(G1::FromAffine(points[0]), scalar * Fr::FromUint64(count)));
      std::vector<G1Affine> cancelling = points;
      for (size_t i = 0; i < count / 2; ++i) cancelling[i] = -cancelling[i];
      EXPECT_EQ(Msm(cancelling, scalars),
                SlowMultiply(G1::FromAffine(points[0]), count % 2 == 0 ? Fr::Zero() : scalar));
    }
    const std::vector<G1Affine> nothing(count, G1Affine::Identity());
    EXPECT_TRUE(Msm(nothing, RandomScalars(count)).IsIdentity());
  }
}

TEST_P(MsmTest, MsmOverG2IsTheSumOfMultiples) {
  std::vector<G2Affine> points;
  for (int i = 0; i < 9; ++i) points.push_back(testing::RandomG2(random_));
  points[3] = points[4];
  points[5] = -points[6];
  points[7] = G2Affine::Identity();
  std::vector<Fr> scalars = RandomScalars(points.size());
  scalars[0] = Fr::Zero();
  scalars[5] = scalars[6];
  EXPECT_EQ(Msm(points, scalars), SlowMsm<Fp2>(points, scalars));
}

TEST_P(MsmTest, AFixedBaseTableGivesTheSameSum) {
  for (const int window_bits : {2, 5, 8, 13}) {
    for (const size_t columns : {1, 7, 100}) {
      std::vector<G1Affine> points = RandomPoints(columns);
      std::vector<Fr> scalars = RandomScalars(columns);
      MakeAwkward(points, scalars);
      const FixedBaseTable table({1, columns, window_bits}, points, CallerAlone());
      EXPECT_EQ(table.Multiply(scalars, CallerAlone()), SlowMsm<Fp>(points, scalars));
      for (int round = 0; round < 3; ++round) {
        std::vector<G1Affine> ignored = points;
        MakeAwkward(ignored, scalars);
        ASSERT_EQ(table.Multiply(scalars, CallerAlone()), SlowMsm<Fp>(points, scalars));
      }
      EXPECT_TRUE(table.Multiply(std::vector<Fr>(columns, Fr::Zero()), CallerAlone()).IsIdentity());
    }
  }
}

TEST_P(MsmTest, AFixedBaseTableOfRowsGivesTheSumOfEach) {
  constexpr size_t kRows = 19;  // not a multiple of a group
  constexpr size_t kColumns = 12;
  std::vector<G1Affine> points = RandomPoints(kRows * kColumns);
  std::vector<Fr> scalars = RandomScalars(kRows * kColumns);
  MakeAwkward(points, scalars);
  for (size_t i = 0; i < kColumns; ++i) scalars[i] = Fr::Zero();
  const FixedBaseTable table({kRows, kColumns, 6}, points, CallerAlone());
  std::vector<G1Affine> sums(kRows);
  table.MultiplyRows(scalars, absl::MakeSpan(sums), CallerAlone());
  for (size_t row = 0; row < kRows; ++row) {
    const auto part = [row](const auto& all) {
      return absl::MakeConstSpan(all).subspan(row * kColumns, kColumns);
    };
    EXPECT_EQ(sums[row], SlowMsm<Fp>(part(points), part(scalars)).ToAffine()) << row;
  }
  EXPECT_TRUE(sums[0].infinity);
}

TEST_P(MsmTest, ATableIsTheSameFromAnyNumberOfThreadsAndSoAreItsSums) {
  const std::vector<G1Affine> points = RandomPoints(1200);
  const std::vector<Fr> scalars = RandomScalars(points.size());
  const FixedBaseTable table({1, points.size(), 8}, points, CallerAlone());
  const Workers two = {2, &RunOnTwoThreads};
  const FixedBaseTable again(table.shape(), points, two);
  EXPECT_EQ(table.entries(), again.entries());
  const FixedBaseTable mapped = FixedBaseTable::FromMapped(table.shape(), table.entries());
  const G1 sum = table.Multiply(scalars, CallerAlone());
  const G1 same = mapped.Multiply(scalars, two);
  EXPECT_EQ(sum.x, same.x);  // not only the same point: the same coordinates
  EXPECT_EQ(sum.y, same.y);
  EXPECT_EQ(sum.z, same.z);
}

TEST_P(MsmTest, OneLargeBucketIsSummedInParts) {
  // All digits equal: 20 shifts of so many points meet in three buckets.
  const std::vector<G1Affine> points = RandomPoints(2500);
  const FixedBaseTable table({1, points.size(), 13}, points, CallerAlone());
  G1 sum = G1::Identity();
  for (const G1Affine& point : points) sum = sum + point;
  Fr all_ones = Fr::Zero();
  for (int i = 0; i < 19; ++i) all_ones = all_ones * Fr::FromUint64(1 << 13) + Fr::One();
  EXPECT_EQ(table.Multiply(std::vector<Fr>(points.size(), all_ones), CallerAlone()),
            SlowMultiply(sum, all_ones));
}

TEST_P(MsmTest, SignedDigitsAddUpToTheInteger) {
  std::vector<Fr> scalars = testing::EdgeScalars();
  for (int i = 0; i < 100; ++i) scalars.push_back(RandomFr(random_));
  for (int bits = 2; bits <= 15; ++bits) {
    const size_t count = (256 + static_cast<size_t>(bits) - 1) / static_cast<size_t>(bits);
    std::vector<int16_t> digits(count);
    for (const Fr& scalar : scalars) {
      internal::SignedDigits(scalar.ToLimbs(), bits, absl::MakeSpan(digits));
      Fr sum = Fr::Zero();
      for (size_t i = count; i-- > 0;) {
        ASSERT_LE(digits[i], 1 << (bits - 1));
        ASSERT_GT(digits[i], -(1 << (bits - 1)));
        const Fr magnitude = Fr::FromUint64(static_cast<uint64_t>(std::abs(digits[i])));
        sum = sum * Fr::FromUint64(uint64_t{1} << bits) + (digits[i] < 0 ? -magnitude : magnitude);
      }
      ASSERT_EQ(sum, scalar);
    }
  }
}

}  // namespace
}  // namespace slipway::bls12_381
