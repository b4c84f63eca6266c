// Who is asked next, and when; and the numbers of a session.
#include "eraft/client/session/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/sim/random.h"
#include "eraft/client/session/operation.h"
#include "eraft/client/session/window.h"

namespace slipway::eraft::client {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

TEST(Route, ARoundOverAllNodesIsFreeThenPausesGrowWithJitter) {  // E146
  base::sim::Random random(1);
  Route route({"a", "b", "c"}, random,
              {.pause = absl::Milliseconds(10), .pause_max = absl::Milliseconds(50)});
  absl::Duration most = absl::Milliseconds(10);
  for (int round = 0; round < 6; ++round) {
    EXPECT_EQ(route.Failed(), absl::ZeroDuration());
    EXPECT_EQ(route.Failed(), absl::ZeroDuration());
    EXPECT_THAT(route.Failed(), AllOf(Ge(most / 2), Le(most)));
    EXPECT_EQ(route.address(), "a");
    most = std::min(most * 2, absl::Milliseconds(50));
  }
  route.Worked();
  EXPECT_EQ(route.Failed(), absl::ZeroDuration());
  EXPECT_EQ(route.Failed(), absl::ZeroDuration());
  EXPECT_LE(route.Failed(), absl::Milliseconds(10));
}

TEST(Route, TwoThatPointAtEachOtherAreNotFollowedForEver) {
  base::sim::Random random(1);
  Route route({"a", "b"}, random);
  int pauses = 0;
  for (int i = 0; i < 40; ++i) {
    if (route.Redirected(route.address() == "a" ? "b" : "a") > absl::ZeroDuration()) ++pauses;
  }
  EXPECT_GE(pauses, 10);
}

TEST(Route, AnEndlessRowOfNewLeadersFillsNoMemory) {
  base::sim::Random random(1);
  Route route({"a"}, random);
  for (int i = 0; i < 1000; ++i) {
    route.Redirected(absl::StrCat("n", i));
    route.Worked();
  }
  EXPECT_LE(route.addresses().size(), 64u);
}

TEST(Window, GivesNumbersInOrderAndStopsWhereTheServerWould) {  // E143
  Window window(4);
  for (uint64_t i = 0; i < 4; ++i) EXPECT_EQ(window.Take(), i);
  EXPECT_EQ(window.Take(), std::nullopt);
  window.Close(2);
  EXPECT_EQ(window.acknowledged(), 0);
  EXPECT_EQ(window.Take(), std::nullopt);
  window.Close(0);
  EXPECT_EQ(window.acknowledged(), 1);
  EXPECT_EQ(window.Take(), 4);
  EXPECT_EQ(window.Take(), std::nullopt);
  window.Close(1);
  EXPECT_EQ(window.acknowledged(), 3);
}

TEST(Operation, AnErrorRemembersWhetherItWasExecuted) {  // E144
  const absl::Status error = absl::UnavailableError("x");
  EXPECT_EQ(WasExecuted(error), Executed::kUnknown);
  for (const Executed executed : {Executed::kNo, Executed::kYes, Executed::kUnknown}) {
    EXPECT_EQ(WasExecuted(WithExecuted(error, executed)), executed);
    EXPECT_EQ(WithExecuted(error, executed).message(), "x");
  }
}

}  // namespace
}  // namespace slipway::eraft::client
