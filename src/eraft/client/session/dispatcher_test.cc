// The dispatcher against servers that fail, in simulated time.
#include "eraft/client/session/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"
#include "eraft/client/session/test_servers.h"

namespace slipway::eraft::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Operation Append(absl::string_view value) {
  Operation operation;
  operation.op = Op::kAppend;
  operation.key = "k";
  operation.value = std::string(value);
  return operation;
}

Operation Get(absl::string_view key) {
  Operation operation;
  operation.key = std::string(key);
  return operation;
}

struct Answer {
  int calls = 0;
  absl::StatusOr<Reply> reply = absl::UnknownError("not answered");
};

class DispatcherTest : public ::testing::Test {
 protected:
  void Make(DispatcherOptions options = {}) {
    if (options.addresses.empty()) options.addresses = {"a:1", "b:1", "c:1"};
    dispatcher_ =
        std::make_unique<Dispatcher>(options, world_.loop, world_.clock, world_.random, servers_);
  }
  std::shared_ptr<Answer> Submit(Operation operation, absl::Duration timeout = absl::Seconds(10)) {
    auto answer = std::make_shared<Answer>();
    dispatcher_->Submit(std::move(operation), world_.clock.Monotonic() + timeout,
                        [answer](absl::StatusOr<Reply> reply) {
                          ++answer->calls;
                          answer->reply = std::move(reply);
                        });
    return answer;
  }
  absl::StatusOr<Reply> Call(Operation operation, absl::Duration timeout = absl::Seconds(10)) {
    const auto answer = Submit(std::move(operation), timeout);
    while (answer->calls == 0 && world_.loop.Step()) {
    }
    return answer->reply;
  }

  base::sim::World world_{1};
  TestServers servers_{world_.loop, 7, {"a:1", "b:1", "c:1"}};
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, WritesGoIntoASessionAndReadsIntoNone) {  // E145
  Make();
  ASSERT_OK(Call(Get("k")));
  EXPECT_EQ(servers_.registered, 0);
  ASSERT_OK(Call(Append("x")));
  EXPECT_EQ(servers_.registered, 1);
  ASSERT_OK_AND_ASSIGN(const Reply reply, Call(Get("k")));
  EXPECT_EQ(reply.value, "x");
  ASSERT_OK_AND_ASSIGN(const Reply none, Call(Get("none")));
  EXPECT_FALSE(none.found);
  dispatcher_->Stop();
  EXPECT_THAT(servers_.closed_sessions, ElementsAre(1));
}

TEST_F(DispatcherTest, TheLeaderIsFoundByItsName) {
  servers_.Lead("c:1");
  Make();
  ASSERT_OK(Call(Append("x")));
  EXPECT_EQ(dispatcher_->address(), "c:1");
  EXPECT_EQ(servers_.dials("b:1"), 0);
  servers_.Lead("b:1");
  servers_.hints = false;
  ASSERT_OK(Call(Append("y")));
  EXPECT_EQ(dispatcher_->address(), "b:1");
  EXPECT_EQ(servers_.state["k"], "xy");
}

TEST_F(DispatcherTest, ANodeThatIsNoAddressOfOursIsFollowedToo) {
  servers_.Lead("d:9");
  Make();
  ASSERT_OK(Call(Append("x")));
  EXPECT_EQ(dispatcher_->address(), "d:9");
}

TEST_F(DispatcherTest, NodesThatAreDownCostAMomentOnly) {
  servers_.down = {"a:1", "b:1"};
  servers_.Lead("c:1");
  Make();
  const absl::Duration before = world_.clock.Monotonic();
  ASSERT_OK(Call(Append("x")));
  EXPECT_LT(world_.clock.Monotonic() - before, absl::Milliseconds(100));
}

TEST_F(DispatcherTest, OperationsTogetherShareBatches) {  // E145
  servers_.credit = 1000;
  Make({.credit_first = 1000});
  ASSERT_OK(Call(Append("first")));
  const uint64_t before = servers_.batches;
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 500; ++i) answers.push_back(Submit(Append(absl::StrCat("<", i, ">"))));
  world_.loop.RunFor(absl::Seconds(1));
  for (const auto& answer : answers) EXPECT_OK(answer->reply);
  EXPECT_LE(servers_.batches - before, 2);
}

TEST_F(DispatcherTest, NoMoreIsUnderWayThanTheServerGivesCreditFor) {  // E145
  servers_.credit = 3;
  Make({.credit_first = 2});
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 50; ++i) {
    answers.push_back(Submit(Append(absl::StrCat("<", i, ">"))));
    answers.push_back(Submit(Get("k")));
  }
  world_.loop.RunFor(absl::Seconds(5));
  for (const auto& answer : answers) EXPECT_OK(answer->reply);
  EXPECT_LE(servers_.under_way_most, 3);
}

TEST_F(DispatcherTest, TheWindowOfASessionIsNeverLeft) {  // E143
  servers_.credit = 100'000;
  servers_.faults.busy = 5;
  Make({.credit_first = 100'000});
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 5000; ++i) {
    answers.push_back(Submit(Append(absl::StrCat("<", i, ">")), absl::Seconds(600)));
  }
  world_.loop.RunFor(absl::Seconds(600));
  for (const auto& answer : answers) ASSERT_OK(answer->reply);
  EXPECT_LE(servers_.under_way_most, 1024);
}

TEST_F(DispatcherTest, WhatWasNeverSentIsSurelyNotExecuted) {  // E144
  servers_.down = {"a:1", "b:1", "c:1"};
  Make();
  const absl::StatusOr<Reply> reply = Call(Append("x"), absl::Seconds(3));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(WasExecuted(reply.status()), Executed::kNo);
  EXPECT_THAT(std::string(reply.status().message()),
              HasSubstr("it was not executed; the last trouble: "));
}

TEST_F(DispatcherTest, WhatWasSentAndNotAnsweredIsUnknown) {  // E144
  Make();
  ASSERT_OK(Call(Append("x")));
  servers_.silent = true;
  const absl::StatusOr<Reply> write = Call(Append("y"), absl::Seconds(1));
  EXPECT_EQ(WasExecuted(write.status()), Executed::kUnknown);
  EXPECT_THAT(std::string(write.status().message()), HasSubstr("it may have been executed"));
  EXPECT_EQ(WasExecuted(Call(Get("k"), absl::Seconds(1)).status()), Executed::kNo);
}

TEST_F(DispatcherTest, ANodeThatFallsSilentIsLeft) {
  Make();
  ASSERT_OK(Call(Append("x")));
  servers_.silent = true;
  const auto answer = Submit(Append("y"), absl::Seconds(60));
  world_.loop.RunFor(absl::Seconds(7));
  servers_.silent = false;
  world_.loop.RunFor(absl::Seconds(20));
  EXPECT_OK(answer->reply);
  EXPECT_GT(servers_.dials("b:1"), 0);
  EXPECT_EQ(servers_.executed["y"], 1);
}

TEST_F(DispatcherTest, AnExpiredSessionIsReplacedAndNothingIsLost) {  // E143
  Make();
  ASSERT_OK(Call(Append("x")));
  servers_.ExpireSessions();
  ASSERT_OK(Call(Append("y")));
  EXPECT_EQ(servers_.registered, 2);
  EXPECT_EQ(servers_.state["k"], "xy");
}

TEST_F(DispatcherTest, WhereTheSessionExpiresUnderAnOpenOutcomeTheUserIsTold) {  // E144
  Make();
  ASSERT_OK(Call(Append("x")));
  servers_.silent = true;
  const auto answer = Submit(Append("y"), absl::Seconds(60));
  world_.loop.RunFor(absl::Milliseconds(500));
  servers_.ExpireSessions();
  servers_.silent = false;
  world_.loop.RunFor(absl::Seconds(10));
  EXPECT_EQ(answer->reply.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(WasExecuted(answer->reply.status()), Executed::kUnknown);
  EXPECT_EQ(servers_.executed["y"], 0);  // and never again
}

TEST_F(DispatcherTest, WhatNoServerWillEverAllowFailsAtOnce) {
  Make();
  servers_.refuses = absl::UnauthenticatedError("the token is unknown");
  const absl::Duration before = world_.clock.Monotonic();
  for (const Operation& operation : {Append("x"), Get("k")}) {
    const absl::StatusOr<Reply> reply = Call(operation);
    EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnauthenticated);
  }
  EXPECT_LT(world_.clock.Monotonic() - before, absl::Seconds(1));
}

TEST_F(DispatcherTest, TooMuchAtATimeIsRefused) {  // E171
  Make({.pending_max = 2});
  Submit(Get("a"));
  Submit(Get("b"));
  const auto third = Submit(Get("c"));
  EXPECT_EQ(third->calls, 0);  // never from within Submit
  world_.loop.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(third->reply.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(WasExecuted(third->reply.status()), Executed::kNo);
}

TEST_F(DispatcherTest, StopAnswersEverything) {
  Make();
  const auto write = Submit(Append("x"));
  const auto read = Submit(Get("k"));
  dispatcher_->Stop();
  EXPECT_EQ(write->reply.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(read->calls, 1);
  const auto late = Submit(Get("k"));
  world_.loop.RunFor(absl::Seconds(1));
  EXPECT_EQ(late->reply.status().code(), absl::StatusCode::kCancelled);
  dispatcher_.reset();
  world_.loop.RunFor(absl::Seconds(60));  // timers of the dead one do nothing
}

// Everything at once, from many seeds: what was answered with OK happened once, what was surely not
// executed never, and the rest at most once.
TEST_F(DispatcherTest, HoweverItFailsNothingIsExecutedTwice) {  // E57, E144, E145
  int ok = 0, unknown = 0, no = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    base::sim::World world(seed);
    TestServers servers(world.loop, seed * 31, {"a:1", "b:1", "c:1"});
    servers.faults = {.close = seed % 20,
                      .unknown = seed % 13,
                      .busy = seed % 11,
                      .silent = seed % 7,
                      .expire = seed % 5 == 0 ? 2u : 0u,
                      .moves = seed % 9};
    servers.credit = 1 + seed % 50;
    DispatcherOptions options;
    options.addresses = {"a:1", "b:1", "c:1"};
    options.stall = absl::Milliseconds(100);
    Dispatcher dispatcher(options, world.loop, world.clock, world.random, servers);
    std::map<std::string, absl::StatusOr<Reply>> answers;
    int calls = 0;
    for (int i = 0; i < 200; ++i) {
      const std::string value = absl::StrCat("<", i, ">");
      const auto timeout = absl::Milliseconds(1 + world.random.Below(3000));
      dispatcher.Submit(Append(value), world.clock.Monotonic() + timeout,
                        [&answers, &calls, value](absl::StatusOr<Reply> reply) {
                          ++calls;
                          answers.insert_or_assign(value, std::move(reply));
                        });
      world.loop.RunFor(absl::Microseconds(world.random.Below(10'000)));
    }
    world.loop.RunFor(absl::Seconds(10));
    ASSERT_EQ(calls, 200);
    EXPECT_THAT(servers.executed, Each(Pair(::testing::_, ::testing::Le(1))));
    for (const auto& [value, reply] : answers) {
      if (reply.ok()) {
        ++ok;
        EXPECT_EQ(servers.executed[value], 1) << value;
      } else if (WasExecuted(reply.status()) == Executed::kNo) {
        ++no;
        EXPECT_EQ(servers.executed[value], 0) << value << reply.status();
      } else {
        ++unknown;
      }
    }
  }
  // All three ends were met.
  EXPECT_GT(ok, 10'000);
  EXPECT_GT(unknown, 50);
  EXPECT_GT(no, 50);
}

}  // namespace
}  // namespace slipway::eraft::client
