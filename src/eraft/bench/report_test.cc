// What `bench` prints (spec 6.3).
#include "eraft/bench/report.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace slipway::eraft::bench {
namespace {

Report Example() {
  Report report;
  report.requests = 1000;
  report.failed = 3;
  report.retries = 5;
  report.errors = {{"Unavailable", 1}, {"timeout, ErrTimeout", 2}};
  report.begin = absl::Seconds(10);
  report.end = absl::Milliseconds(12'500);
  for (int i = 0; i < 997; ++i) report.latency.Record(absl::Microseconds(2000));
  return report;
}

TEST(ReportTest, TheLinesAreThoseOfTheReferenceAndThenOurs) {
  EXPECT_EQ(StartText(1000, 4),
            "Starting benchmark with 1000 requests using 4 concurrent clients...\n");
  EXPECT_EQ(ProgressText(100), "Progress: 100 requests completed...\n");
  EXPECT_EQ(ResultsText(Example(), 4), R"(
Benchmark Results:
==================
Total Requests:    1000
Concurrent Clients: 4
Successful:        997
Failed:            3
Duration:          2.5s
Throughput:        398.80 req/s
Avg Latency:       2.00 ms
P50 Latency:       2.00 ms
P90 Latency:       2.00 ms
P99 Latency:       2.00 ms
P99.9 Latency:     2.00 ms
Max Latency:       2.00 ms
Sent Again:        5
Error:             1 x Unavailable
Error:             2 x timeout, ErrTimeout
)");
}

TEST(ReportTest, JsonHasTheSameNumbers) {
  Report report = Example();
  report.pauses.push_back({absl::Seconds(11), absl::Milliseconds(1500)});
  EXPECT_EQ(ResultsJson(report, 4, absl::FromUnixSeconds(1000)).Dump(),
            R"({"clients":4,"requests":1000,"succeeded":997,"failed":3,"retries":5,)"
            R"("errors":{"Unavailable":1,"timeout, ErrTimeout":2},"seconds":2.5,)"
            R"("throughput":398.8,"latency_ms":{"mean":2.0,"p50":2.0,"p90":2.0,"p99":2.0,)"
            R"("p999":2.0,"max":2.0},"pauses":[{"at_ms":1011000,"ms":1500.0}]})");
}

TEST(ReportTest, ALoadOfWhichNothingCameCanBeTold) {
  EXPECT_NE(ResultsText(Report(), 1).find("Throughput:        0.00 req/s"), std::string::npos);
  EXPECT_NE(ResultsText(Report(), 1).find("Duration:          0\n"), std::string::npos);
}

}  // namespace
}  // namespace slipway::eraft::bench
