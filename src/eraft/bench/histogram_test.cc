// Quantiles of latencies (E81).
#include "eraft/bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "eraft/bench/workload.h"

namespace slipway::eraft::bench {
namespace {

TEST(HistogramTest, NothingRecordedIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
  EXPECT_EQ(histogram.mean(), absl::ZeroDuration());
  EXPECT_EQ(histogram.max(), absl::ZeroDuration());
}

TEST(HistogramTest, SmallNumbersAreExact) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(absl::Nanoseconds(i));
  EXPECT_EQ(histogram.Quantile(0.5), absl::Nanoseconds(50));
  EXPECT_EQ(histogram.Quantile(0.99), absl::Nanoseconds(99));
  EXPECT_EQ(histogram.Quantile(1), absl::Nanoseconds(100));
  EXPECT_EQ(histogram.Quantile(0), absl::Nanoseconds(1));
}

TEST(HistogramTest, QuantilesAreThoseOfTheSortedTimesWithinASixtyFourth) {  // E81
  Numbers numbers(7);
  for (const int bits : {10, 20, 33, 41}) {
    Histogram histogram;
    std::vector<int64_t> times;
    for (int i = 0; i < 5000; ++i) {
      times.push_back(static_cast<int64_t>(numbers.Below(uint64_t{1} << bits)));
      histogram.Record(absl::Nanoseconds(times.back()));
    }
    std::sort(times.begin(), times.end());
    for (const double share : {0.1, 0.5, 0.9, 0.99, 0.999}) {
      const auto rank = static_cast<size_t>(std::ceil(share * 5000)) - 1;
      const auto exact = static_cast<double>(times[rank]);
      const auto said = static_cast<double>(absl::ToInt64Nanoseconds(histogram.Quantile(share)));
      EXPECT_GE(said, exact) << bits << " " << share;
      EXPECT_LE(said, exact * (1 + 1.0 / 64) + 1) << bits << " " << share;
    }
    EXPECT_EQ(histogram.max(), absl::Nanoseconds(times.back()));
    EXPECT_EQ(histogram.Quantile(1), absl::Nanoseconds(times.back()));
  }
}

TEST(HistogramTest, WhatIsOutOfRangeCounts) {
  Histogram histogram;
  histogram.Record(-absl::Seconds(1));
  EXPECT_EQ(histogram.Quantile(1), absl::ZeroDuration());
  histogram.Record(absl::Hours(1000));
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.max(), absl::Nanoseconds((int64_t{1} << 42) - 1));
}

TEST(HistogramTest, TwoTogetherAreOneOfAll) {
  Histogram one, two, all;
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration time = absl::Microseconds(i * i);
    (i % 3 == 0 ? one : two).Record(time);
    all.Record(time);
  }
  one.Add(two);
  EXPECT_EQ(one.count(), all.count());
  EXPECT_EQ(one.mean(), all.mean());
  EXPECT_EQ(one.max(), all.max());
  for (const double share : {0.01, 0.5, 0.95}) {
    EXPECT_EQ(one.Quantile(share), all.Quantile(share));
  }
}

}  // namespace
}  // namespace slipway::eraft::bench
