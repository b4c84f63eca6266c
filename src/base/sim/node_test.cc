// The parts of one node among several: its clock, its loop, its pools.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/sim/loop.h"
#include "base/sim/loop_pool.h"
#include "base/sim/node_clock.h"
#include "base/sim/node_loop.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::sim {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// E201
TEST(SimNodeClock, RunsAtItsOwnRateAndItsTimeOfDayJumps) {
  Clock common;
  NodeClock fast(common);
  NodeClock steady(common);
  const absl::Duration start = common.Monotonic();
  const absl::Time wall = common.Wall();
  fast.SetRate(1.1);
  common.Advance(absl::Seconds(100));
  EXPECT_EQ(steady.Monotonic() - start, absl::Seconds(100));
  EXPECT_LT(absl::AbsDuration(fast.Monotonic() - start - absl::Seconds(110)),
            absl::Microseconds(1));
  fast.SetRate(0.9);
  common.Advance(absl::Seconds(100));
  EXPECT_LT(absl::AbsDuration(fast.Monotonic() - start - absl::Seconds(200)),
            absl::Microseconds(1));
  const absl::Duration before = fast.Monotonic();
  fast.JumpWall(-absl::Hours(2));
  EXPECT_EQ(fast.Monotonic(), before);
  EXPECT_LT(absl::AbsDuration(fast.Wall() - wall - absl::Seconds(200) + absl::Hours(2)),
            absl::Microseconds(1));
  EXPECT_EQ(steady.Wall() - wall, absl::Seconds(200));
}

class SimNodeLoop : public ::testing::Test {
 protected:
  Task Note(const char* name) {
    return [this, name] { ran_.push_back(name); };
  }
  Clock clock_;
  Loop common_{1, clock_};
  NodeClock own_{clock_};
  std::vector<std::string> ran_;
};

TEST_F(SimNodeLoop, TimersFollowTheNodesClock) {
  NodeLoop loop(common_, own_);
  own_.SetRate(0.5);
  loop.After(absl::Seconds(1), Note("timer"));
  loop.Cancel(loop.After(absl::Seconds(1), Note("never")));
  loop.Post(Note("posted"));
  common_.RunFor(absl::Milliseconds(1900));
  EXPECT_THAT(ran_, ElementsAre("posted"));
  common_.RunFor(absl::Milliseconds(200));
  EXPECT_THAT(ran_, ElementsAre("posted", "timer"));
}

TEST_F(SimNodeLoop, APausedNodeDoesLateWhatFellDue) {
  NodeLoop loop(common_, own_);
  NodeLoop other(common_, own_);
  loop.After(absl::Seconds(1), Note("a"));
  const uint64_t cancelled = loop.After(absl::Seconds(2), Note("b"));
  other.After(absl::Seconds(3), Note("other"));
  loop.After(absl::Seconds(4), Note("c"));
  loop.Pause();
  loop.Post(Note("posted"));
  common_.RunFor(absl::Seconds(5));
  EXPECT_THAT(ran_, ElementsAre("other"));
  loop.Resume();
  loop.Cancel(cancelled);
  common_.RunFor(absl::ZeroDuration());
  EXPECT_THAT(ran_, ElementsAre("other", "posted", "a", "c"));
}

TEST_F(SimNodeLoop, ADeadProcessDoesNothingMore) {
  NodeLoop loop(common_, own_);
  const auto held = std::make_shared<int>(1);
  loop.Post([this, held] { ran_.push_back("posted"); });
  loop.After(absl::Seconds(1), [this, held] { ran_.push_back("timer"); });
  loop.Forget();
  EXPECT_EQ(held.use_count(), 1);
  loop.After(absl::Seconds(2), Note("next life"));
  common_.RunFor(absl::Seconds(5));
  EXPECT_THAT(ran_, ElementsAre("next life"));
}

TEST_F(SimNodeLoop, MayGoBeforeTheCommonLoop) {
  {
    NodeLoop loop(common_, own_);
    loop.Post(Note("posted"));
    loop.After(absl::Seconds(1), Note("timer"));
  }
  common_.RunFor(absl::Seconds(5));
  EXPECT_THAT(ran_, IsEmpty());
}

TEST_F(SimNodeLoop, APoolOfOneThreadKeepsTheOrderAndTakesItsTime) {
  LoopPool pool(1, common_,
                {.takes_min = absl::Milliseconds(10), .takes_max = absl::Milliseconds(10)});
  for (const char* name : {"a", "b", "c"}) ASSERT_OK(pool.Submit(Note(name)));
  common_.RunFor(absl::Milliseconds(25));
  EXPECT_THAT(ran_, ElementsAre("a", "b"));
  EXPECT_TRUE(pool.RunOne());  // somebody cannot wait
  EXPECT_FALSE(pool.RunOne());
  common_.RunFor(absl::Milliseconds(25));
  EXPECT_THAT(ran_, ElementsAre("a", "b", "c"));
}

TEST_F(SimNodeLoop, APoolOfSeveralThreadsRunsJobsAtOnceInASeededOrder) {
  std::set<std::vector<std::string>> orders;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    ran_.clear();
    LoopPool pool(seed, common_, {.threads = 3, .queue_max = 3});
    for (const char* name : {"a", "b", "c"}) ASSERT_OK(pool.Submit(Note(name)));
    EXPECT_THAT(pool.Submit([] {}), StatusIs(absl::StatusCode::kResourceExhausted));
    common_.RunFor(absl::Milliseconds(1));
    orders.insert(ran_);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST_F(SimNodeLoop, ASlowPoolIsLateAndADeadOneForgets) {
  LoopPool pool(1, common_, {});
  pool.SetTakes(absl::Seconds(2), absl::Seconds(2));
  ASSERT_OK(pool.Submit(Note("slow")));
  common_.RunFor(absl::Milliseconds(1999));
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_EQ(pool.waiting(), 1u);
  common_.RunFor(absl::Milliseconds(2));
  EXPECT_THAT(ran_, ElementsAre("slow"));
  ASSERT_OK(pool.Submit(Note("never")));
  pool.Forget();
  ASSERT_OK(pool.Submit(Note("next life")));
  common_.RunFor(absl::Seconds(9));
  EXPECT_THAT(ran_, ElementsAre("slow", "next life"));
}

}  // namespace
}  // namespace slipway::base::sim
