// Which request goes when, and what is counted (E30, E81).
#include "eraft/bench/load.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/sim/clock.h"

namespace slipway::eraft::bench {
namespace {

class LoadTest : public ::testing::Test {
 protected:
  void Begin(const LoadOptions& options, std::function<void(uint64_t)> progress = nullptr) {
    pulse_ = std::make_unique<Pulse>(options.pause_min);
    load_ = std::make_unique<Load>(options, clock_, workload_, *pulse_, std::move(progress));
    load_->Start();
  }
  // The clients whose requests go now.
  std::vector<uint64_t> Sent() {
    std::vector<uint64_t> clients;
    while (const auto send = load_->Next()) clients.push_back(send->client);
    return clients;
  }
  void Pass(absl::Duration time) { clock_.Advance(time); }

  base::sim::Clock clock_;
  NamedKeys workload_{{}};
  std::unique_ptr<Pulse> pulse_;
  std::unique_ptr<Load> load_;
};

constexpr absl::Duration kMs = absl::Milliseconds(1);

TEST_F(LoadTest, AClosedLoadSendsWhenAnAnswerIsThere) {
  Begin({.clients = 2, .requests = 3});
  EXPECT_EQ(Sent(), (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(load_->due(), absl::InfiniteDuration());
  Pass(5 * kMs);
  load_->Answered(1, {});
  EXPECT_EQ(load_->due(), absl::ZeroDuration());
  EXPECT_EQ(Sent(), std::vector<uint64_t>{1});
  load_->Answered(1, {});
  EXPECT_TRUE(Sent().empty());  // these were all three
  EXPECT_FALSE(load_->over());
  load_->Answered(0, {.error = "", .retries = 4});
  EXPECT_TRUE(load_->over());
  const Report& report = load_->report();
  EXPECT_EQ(report.requests, 3u);
  EXPECT_EQ(report.retries, 4u);
  EXPECT_EQ(report.elapsed(), 5 * kMs);
  EXPECT_DOUBLE_EQ(report.throughput(), 600);
  EXPECT_EQ(report.latency.count(), 3u);
}

TEST_F(LoadTest, InSharesEachClientSendsAsMany) {  // as the reference's bench
  std::vector<uint64_t> progress;
  Begin({.clients = 3, .requests = 7, .shares = true},
        [&](uint64_t answered) { progress.push_back(answered); });
  std::map<uint64_t, int> sent;
  while (!load_->over()) {
    const auto clients = Sent();
    ASSERT_FALSE(clients.empty());
    for (const uint64_t client : clients) {
      ++sent[client];
      load_->Answered(client, {});
    }
  }
  EXPECT_EQ(sent, (std::map<uint64_t, int>{{0, 3}, {1, 2}, {2, 2}}));
  EXPECT_EQ(progress, (std::vector<uint64_t>{1, 2, 3}));  // of client 0 alone
}

TEST_F(LoadTest, MoreClientsThanRequestsLeavesSomeIdle) {
  Begin({.clients = 5, .requests = 2, .shares = true});
  EXPECT_EQ(Sent(), (std::vector<uint64_t>{0, 1}));
}

TEST_F(LoadTest, AnOpenLoadKeepsItsRate) {
  Begin({.clients = 10, .duration = absl::Seconds(1), .rate = 100});
  EXPECT_EQ(Sent().size(), 1u);
  EXPECT_EQ(load_->due(), 10 * kMs);
  Pass(4 * kMs);
  EXPECT_TRUE(Sent().empty());
  EXPECT_EQ(load_->due(), 6 * kMs);
  Pass(26 * kMs);
  EXPECT_EQ(Sent().size(), 3u);  // those of 10, 20 and 30 ms
  EXPECT_EQ(load_->due(), 10 * kMs);
}

// The server answers nothing for a second: the requests that fell due meanwhile waited, and say so,
// though each was answered at once when it was sent.
TEST_F(LoadTest, AnOpenLoadHidesNoStandstill) {  // E81: no coordinated omission
  Begin({.clients = 1, .duration = absl::Seconds(1), .rate = 100});
  ASSERT_EQ(Sent().size(), 1u);
  Pass(absl::Seconds(1));
  EXPECT_EQ(load_->due(), absl::InfiniteDuration());  // its one client waits
  load_->Answered(0, {});
  while (!Sent().empty()) load_->Answered(0, {});
  EXPECT_TRUE(load_->over());
  const Report& report = load_->report();
  EXPECT_EQ(report.requests, 100u);
  EXPECT_EQ(report.latency.max(), absl::Seconds(1));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(report.latency.Quantile(0.5)), 505, 10);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(report.latency.mean()), 505, 2);
}

TEST_F(LoadTest, TheWarmUpIsNotCounted) {
  Begin({.clients = 1, .duration = absl::Milliseconds(30), .warm_up = absl::Milliseconds(20)});
  int sent = 0;
  while (!load_->over()) {
    sent += static_cast<int>(Sent().size());
    Pass(10 * kMs);
    load_->Answered(0, {.error = sent <= 2 ? "cold" : ""});
  }
  EXPECT_EQ(sent, 5);
  EXPECT_EQ(load_->report().requests, 3u);
  EXPECT_EQ(load_->report().failed, 0u);
  EXPECT_EQ(load_->report().elapsed(), 30 * kMs);
}

TEST_F(LoadTest, ErrorsAreCountedByKindAndHaveNoLatency) {  // E81
  Begin({.clients = 1, .requests = 4});
  for (const char* error : {"Unavailable", "", "ErrTimeout", "Unavailable"}) {
    ASSERT_EQ(Sent().size(), 1u);
    load_->Answered(0, {.error = error});
  }
  const Report& report = load_->report();
  EXPECT_EQ(report.errors,
            (std::map<std::string, uint64_t>{{"ErrTimeout", 1}, {"Unavailable", 2}}));
  EXPECT_EQ(report.failed, 3u);
  EXPECT_EQ(report.succeeded(), 1u);
  EXPECT_EQ(report.latency.count(), 1u);
}

TEST_F(LoadTest, TimesWithoutSuccessAreTold) {
  Begin({.clients = 1, .requests = 5, .pause_min = 50 * kMs});
  const absl::Duration begin = clock_.Monotonic();
  Sent();
  Pass(49 * kMs);
  load_->Answered(0, {});
  Sent();
  Pass(30 * kMs);
  load_->Answered(0, {.error = "Unavailable"});  // no success: the pause goes on
  Sent();
  Pass(20 * kMs);
  load_->Answered(0, {});
  const auto pauses = pulse_->pauses();
  ASSERT_EQ(pauses.size(), 1u);
  EXPECT_EQ(pauses[0].at - begin, 49 * kMs);
  EXPECT_EQ(pauses[0].length, 50 * kMs);
}

TEST_F(LoadTest, AStoppedLoadWaitsForWhatIsUnderWay) {
  Begin({.clients = 2, .duration = absl::Seconds(1)});
  EXPECT_EQ(Sent().size(), 2u);
  load_->Stop();
  load_->Answered(0, {});
  EXPECT_TRUE(Sent().empty());
  EXPECT_FALSE(load_->over());
  load_->Answered(1, {});
  EXPECT_TRUE(load_->over());
}

TEST_F(LoadTest, PartsAddUpToOneReport) {
  Report a, b;
  a.requests = 3, a.failed = 1, a.errors["x"] = 1;
  a.begin = absl::Seconds(1), a.end = absl::Seconds(2);
  b.requests = 5, b.failed = 2, b.errors["x"] = 2, b.retries = 7;
  b.begin = absl::Seconds(0), b.end = absl::Seconds(3);
  a.Add(b);
  EXPECT_EQ(a.requests, 8u);
  EXPECT_EQ(a.errors["x"], 3u);
  EXPECT_EQ(a.retries, 7u);
  EXPECT_EQ(a.elapsed(), absl::Seconds(3));
  EXPECT_DOUBLE_EQ(Report().throughput(), 0);
}

TEST(WorkloadTest, NamesAreOfTheSetAndValuesOfTheSize) {
  NamedKeys workload({.keys = 50, .value_bytes = 256, .reads_percent = 40});
  std::set<std::string> names;
  int reads = 0;
  for (int i = 0; i < 2000; ++i) {
    const Request request = workload.Next(0, 0);
    names.insert(request.key);
    EXPECT_EQ(request.value.size(), request.write ? 256u : 0u);
    reads += request.write ? 0 : 1;
  }
  EXPECT_EQ(names.size(), 50u);
  EXPECT_EQ(*names.begin(), "key-00000000");
  EXPECT_NEAR(reads, 800, 100);
}

TEST(WorkloadTest, InOrderTwoPartsNameAllKeysOnce) {
  std::set<std::string> names;
  for (const uint64_t first : {0, 1}) {
    NamedKeys workload({.keys = 100, .in_order = true, .first = first, .step = 2});
    for (int i = 0; i < 50; ++i) names.insert(workload.Next(0, 0).key);
  }
  EXPECT_EQ(names.size(), 100u);
}

TEST(WorkloadTest, TheReferencesKeysBeginWithAnyLetter) {
  ReferenceKeys workload(3);
  std::set<char> letters;
  for (uint64_t i = 0; i < 1000; ++i) {
    const Request request = workload.Next(2, i);
    letters.insert(request.key[0]);
    const std::string rest = request.key.substr(1, request.key.rfind('-'));
    EXPECT_EQ(rest, "-key-2-" + std::to_string(i) + "-");
    EXPECT_EQ(request.value.find("value-2-" + std::to_string(i) + "-"), 0u);
  }
  EXPECT_EQ(letters.size(), 26u);
}

}  // namespace
}  // namespace slipway::eraft::bench
