#include "base/net/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace slipway::base::net {
namespace {

using ::testing::ElementsAre;

TEST(Health, IsReadyOnlyWhileItServesAndEveryPartWorks) {
  Health health;
  EXPECT_EQ(health.phase(), Health::Phase::kStarting);
  EXPECT_FALSE(health.ready());
  health.SetPhase(Health::Phase::kServing);
  EXPECT_TRUE(health.ready());
  health.Set("storage", false, "no space left");
  EXPECT_FALSE(health.ready());
  health.Set("storage", true);
  EXPECT_TRUE(health.ready());
  health.SetPhase(Health::Phase::kDraining);
  EXPECT_FALSE(health.ready());
}

TEST(Health, ListsItsPartsByName) {
  Health health;
  health.Set("storage", false, "no space left");
  health.Set("index", true);
  const std::vector<Health::Check> checks = health.checks();
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].name, "index");
  EXPECT_TRUE(checks[0].ok);
  EXPECT_EQ(checks[1].name, "storage");
  EXPECT_FALSE(checks[1].ok);
  EXPECT_EQ(checks[1].reason, "no space left");
}

TEST(Health, TellsChangesOfReadyAndNothingElse) {
  Health health;
  std::vector<bool> heard;
  health.OnChange([&](bool ready) {
    heard.push_back(ready);
    EXPECT_EQ(health.ready(), ready);  // a callback may ask
  });
  health.Set("storage", true);
  health.SetPhase(Health::Phase::kServing);
  health.Set("storage", true);
  health.Set("storage", false);
  health.Set("index", false);
  health.Set("storage", true);
  health.Set("index", true);
  EXPECT_THAT(heard, ElementsAre(true, false, true));
}

TEST(Health, ChangesOfManyThreadsAreHeardInOrder) {
  Health health;
  std::vector<bool> heard;
  health.OnChange([&](bool ready) { heard.push_back(ready); });
  health.SetPhase(Health::Phase::kServing);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&health, name = std::string(1, static_cast<char>('a' + t))] {
      for (int i = 0; i < 500; ++i) health.Set(name, i % 2 == 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(health.ready());
  for (size_t i = 0; i < heard.size(); ++i) EXPECT_EQ(heard[i], i % 2 == 0) << i;
  EXPECT_TRUE(heard.back());
}

}  // namespace
}  // namespace slipway::base::net
