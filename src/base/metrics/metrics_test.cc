#include "base/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"

namespace slipway::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(Metrics, TextIsSortedByNameAndLabels) {
  Metrics metrics;
  metrics.AddGauge("z_bytes", "Bytes in use.").Set(1.5);
  Counter& failed = metrics.AddCounter("a_total", "Things done.", {{"result", "failed"}});
  Counter& ok = metrics.AddCounter("a_total", "Things done.", {{"result", "ok"}, {"kind", "x"}});
  ok.Increment();
  ok.Increment(2);
  failed.Increment(0);
  EXPECT_EQ(metrics.Text(),
            "# HELP a_total Things done.\n"
            "# TYPE a_total counter\n"
            "a_total{kind=\"x\",result=\"ok\"} 3\n"
            "a_total{result=\"failed\"} 0\n"
            "# HELP z_bytes Bytes in use.\n"
            "# TYPE z_bytes gauge\n"
            "z_bytes 1.5\n");
  EXPECT_EQ(ok.value(), 3);
}

TEST(Metrics, AGaugeOfNothingIsNotShown) {
  Metrics metrics;
  Gauge& one = metrics.AddGauge("z", "Of peers.", {{"peer", "1"}});
  metrics.AddGauge("z", "Of peers.", {{"peer", "2"}}).Set(3);
  one.Set(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(metrics.Text(), "# HELP z Of peers.\n# TYPE z gauge\nz{peer=\"2\"} 3\n");
  one.Set(1);
  EXPECT_THAT(metrics.Text(), HasSubstr("z{peer=\"1\"} 1\n"));
}

TEST(Metrics, HistogramsAreCumulative) {
  Metrics metrics;
  Histogram& seconds =
      metrics.AddHistogram("x_seconds", "Time taken.", {{"op", "get"}}, {0.1, 1, 10});
  for (double value : {0.05, 0.1, 0.5, 5.0, 100.0}) seconds.Observe(value);
  EXPECT_EQ(metrics.Text(),
            "# HELP x_seconds Time taken.\n"
            "# TYPE x_seconds histogram\n"
            "x_seconds_bucket{op=\"get\",le=\"0.1\"} 2\n"
            "x_seconds_bucket{op=\"get\",le=\"1\"} 3\n"
            "x_seconds_bucket{op=\"get\",le=\"10\"} 4\n"
            "x_seconds_bucket{op=\"get\",le=\"+Inf\"} 5\n"
            "x_seconds_sum{op=\"get\"} 105.65\n"
            "x_seconds_count{op=\"get\"} 5\n");
}

TEST(Metrics, EarlierRunsCanBeMerged) {  // what D53 needs
  Metrics earlier, now;
  Histogram& before = earlier.AddHistogram("x_seconds", "Time taken.", {}, {1, 10});
  for (double value : {0.5, 5.0, 50.0, 60.0}) before.Observe(value);
  earlier.AddCounter("n_total", "Things.").Increment(7);
  Histogram& after = now.AddHistogram("x_seconds", "Time taken.", {}, {1, 10});
  Counter& count = now.AddCounter("n_total", "Things.");
  after.Observe(0.25);
  count.Increment();
  const std::vector<MetricFamily> saved = earlier.Collect();
  ASSERT_THAT(saved, SizeIs(2));
  count.Increment(saved[0].series[0].value);
  const MetricSeries& series = saved[1].series[0];
  std::vector<uint64_t> counts;
  uint64_t below = 0;
  for (const auto& [bound, cumulative] : series.buckets) {
    counts.push_back(cumulative - below);
    below = cumulative;
  }
  EXPECT_THAT(counts, ElementsAre(1, 1, 2));
  after.Merge(counts, series.value);
  EXPECT_THAT(now.Text(), HasSubstr("n_total 8\n"));
  EXPECT_THAT(now.Text(), HasSubstr("x_seconds_bucket{le=\"1\"} 2\n"
                                    "x_seconds_bucket{le=\"10\"} 3\n"
                                    "x_seconds_bucket{le=\"+Inf\"} 5\n"
                                    "x_seconds_sum 115.75\n"
                                    "x_seconds_count 5\n"));
}

TEST(Metrics, LabelsAndHelpAreEscaped) {
  Metrics metrics;
  metrics.AddCounter("a_total", "One\nline \\ two.", {{"path", "C:\\x \"y\"\nz"}, {"raw", "\xff"}});
  EXPECT_EQ(metrics.Text(),
            "# HELP a_total One\\nline \\\\ two.\n"
            "# TYPE a_total counter\n"
            "a_total{path=\"C:\\\\x \\\"y\\\"\\nz\",raw=\"\\\\xff\"} 0\n");
}

TEST(Metrics, NumbersAreExact) {
  const auto text = [](double value) {
    Metrics metrics;
    metrics.AddGauge("g", "A gauge.").Set(value);
    const std::string all = metrics.Text();
    return all.substr(all.find("\ng ") + 3);
  };
  EXPECT_EQ(text(0), "0\n");
  EXPECT_EQ(text(-3), "-3\n");
  EXPECT_EQ(text(1e12), "1000000000000\n");
  EXPECT_EQ(text(0.1), "0.1\n");
  EXPECT_EQ(text(1705744800.123), "1705744800.123\n");
  EXPECT_EQ(text(1e300), "1e+300\n");
  EXPECT_EQ(text(std::numeric_limits<double>::infinity()), "+Inf\n");
  EXPECT_EQ(text(-std::numeric_limits<double>::infinity()), "-Inf\n");
}

TEST(Metrics, AddingTwiceGivesTheSame) {
  Metrics metrics;
  Counter& one = metrics.AddCounter("a_total", "Things.", {{"x", "1"}, {"y", "2"}});
  Counter& same = metrics.AddCounter("a_total", "Things.", {{"y", "2"}, {"x", "1"}});
  Counter& other = metrics.AddCounter("a_total", "Things.", {{"x", "2"}, {"y", "2"}});
  EXPECT_EQ(&one, &same);
  EXPECT_NE(&one, &other);
}

TEST(Metrics, TooManySeriesAreCountedTogether) {
  Metrics metrics;
  for (size_t i = 0; i < Metrics::kSeriesMax + 50; ++i) {
    metrics.AddCounter("a_total", "Things.", {{"id", absl::StrCat(i)}}).Increment();
  }
  const std::vector<MetricFamily> families = metrics.Collect();
  ASSERT_THAT(families, SizeIs(1));
  EXPECT_THAT(families[0].series, SizeIs(Metrics::kSeriesMax + 1));
  const MetricSeries& last = families[0].series.back();
  EXPECT_THAT(last.labels, ElementsAre(Pair("id", "other")));
  EXPECT_EQ(last.value, 50);
}

TEST(Metrics, GaugesGoBothWays) {
  Metrics metrics;
  Gauge& gauge = metrics.AddGauge("g", "A gauge.");
  gauge.Add(5);
  gauge.Add(-7);
  EXPECT_EQ(gauge.value(), -2);
}

TEST(Metrics, ManyThreadsLoseNoCount) {
  Metrics metrics;
  Counter& counter = metrics.AddCounter("a_total", "Things.");
  Histogram& histogram = metrics.AddHistogram("h_seconds", "Time.");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        counter.Increment();
        histogram.Observe(0.01);
        metrics.AddGauge("g", "A gauge.", {{"thread", absl::StrCat(t)}}).Set(i);
      }
      EXPECT_THAT(metrics.Text(), HasSubstr("a_total"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics.Text(), HasSubstr("a_total 2000\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("h_seconds_count 2000\n"));
}

TEST(MetricsDeathTest, MistakesOfOursAreCaught) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Metrics metrics;
  metrics.AddCounter("a_total", "Things.");
  EXPECT_DEATH(metrics.AddGauge("a_total", "Things."), "kind");
  EXPECT_DEATH(metrics.AddCounter("a_total", "Others."), "help");
  EXPECT_DEATH(metrics.AddCounter("a-b", "Things."), "IsName");
  EXPECT_DEATH(metrics.AddCounter("b_total", ""), "help");
  EXPECT_DEATH(metrics.AddCounter("b_total", "Things.", {{"x", "1"}, {"x", "2"}}), "name");
  EXPECT_DEATH(metrics.AddHistogram("h", "Time.", {}, {1, 1}), "is_sorted");
  EXPECT_DEATH(metrics.AddCounter("c_total", "Things.").Increment(-1), "by >= 0");
}

}  // namespace
}  // namespace slipway::base
