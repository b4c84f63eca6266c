#include "eraft/client/testing/in_process_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/os/clock.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft::client::testing {
namespace {

constexpr CallOptions kPatience = {absl::Seconds(60)};

TEST(InProcessCluster, IsUpInAFractionOfASecond) {  // E147
  base::os::SystemClock clock;
  absl::Duration best = absl::InfiniteDuration();
  for (int i = 0; i < 5; ++i) {  // a busy machine may take its time once
    const absl::Duration begun = clock.Monotonic();
    InProcessCluster cluster;
    const auto client = cluster.NewClient();
    ASSERT_OK(client->Put("k", "v", kPatience));
    best = std::min(best, clock.Monotonic() - begun);
  }
  EXPECT_LT(best, absl::Milliseconds(300));
}

TEST(InProcessCluster, KeepsWhatItAcknowledgedThroughTheLossOfLeaders) {  // E146, E147
  InProcessCluster cluster;
  const auto client = cluster.NewClient();
  std::string want;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      const std::string value = absl::StrCat("<", round, ".", i, ">");
      ASSERT_OK(client->Append("k", value, kPatience));
      want += value;
    }
    const int gone = cluster.leader();
    cluster.Stop(gone);
    ASSERT_OK(client->Append("k", "!", kPatience));
    want += "!";
    cluster.Start(gone);
  }
  EXPECT_EQ(*client->Get("k", kPatience), want);
}

TEST(InProcessCluster, HasAllOperations) {  // E146
  InProcessCluster cluster({.nodes = 1});
  const auto client = cluster.NewClient();
  EXPECT_EQ(*client->Get("a"), std::nullopt);
  EXPECT_TRUE(*client->CompareAndSet("a", std::nullopt, "1"));
  EXPECT_FALSE(*client->CompareAndSet("a", std::nullopt, "2"));
  EXPECT_TRUE(*client->CompareAndSet("a", "1", "2"));
  EXPECT_OK(client->Put("b", "3"));
  EXPECT_OK(client->Append("c", "4"));
  ASSERT_OK_AND_ASSIGN(const Rows two, client->Scan("a", "", 2));
  EXPECT_THAT(two.rows,
              ::testing::ElementsAre(::testing::Pair("a", "2"), ::testing::Pair("b", "3")));
  EXPECT_TRUE(two.more);
  ASSERT_OK_AND_ASSIGN(const Rows range, client->Scan("b", "c"));
  EXPECT_EQ(range.rows.size(), 1);
  EXPECT_FALSE(range.more);
  EXPECT_TRUE(*client->Delete("b"));
  EXPECT_FALSE(*client->Delete("b"));
  EXPECT_TRUE(absl::IsInvalidArgument(client->Put(std::string(100'000, 'k'), "v").status()));
}

TEST(InProcessCluster, ManyClientsCountTogether) {  // E145, E146
  InProcessCluster cluster;
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&cluster] {
      const auto client = cluster.NewClient();
      std::vector<std::future<absl::StatusOr<Reply>>> answers;
      for (int i = 0; i < 200; ++i) answers.push_back(client->Async(AppendOf("k", "x"), kPatience));
      for (auto& answer : answers) EXPECT_OK(answer.get());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto client = cluster.NewClient();
  ASSERT_OK_AND_ASSIGN(const auto value, client->Get("k", kPatience));
  EXPECT_EQ(value->size(), 600);
}

}  // namespace
}  // namespace slipway::eraft::client::testing
