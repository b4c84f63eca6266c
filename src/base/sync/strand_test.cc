#include "base/sync/strand.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "base/sync/test_pools.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;

TEST(Strand, RunsJobsInOrder) {
  ManualPool pool;
  Strand strand(pool, 10);
  std::vector<int> ran;
  for (int i = 0; i < 3; ++i) EXPECT_OK(strand.Submit([&, i] { ran.push_back(i); }));
  while (pool.RunOne()) {
  }
  EXPECT_THAT(ran, ElementsAre(0, 1, 2));
}

TEST(Strand, HasAtMostOneJobInThePool) {
  ManualPool pool;
  Strand strand(pool, 10);
  for (int i = 0; i < 3; ++i) EXPECT_OK(strand.Submit([] {}));
  EXPECT_EQ(pool.queued(), 1u);
  pool.RunOne();
  EXPECT_EQ(pool.queued(), 1u);
}

TEST(Strand, SharesThePoolWithOthersJobByJob) {
  ManualPool pool;
  Strand a(pool, 10);
  Strand b(pool, 10);
  std::vector<char> ran;
  for (int i = 0; i < 2; ++i) EXPECT_OK(a.Submit([&] { ran.push_back('a'); }));
  for (int i = 0; i < 2; ++i) EXPECT_OK(b.Submit([&] { ran.push_back('b'); }));
  while (pool.RunOne()) {
  }
  EXPECT_THAT(ran, ElementsAre('a', 'b', 'a', 'b'));
}

TEST(Strand, RefusesMoreThanItsQueueHolds) {
  ManualPool pool;
  Strand strand(pool, 2);
  bool third_ran = false;
  EXPECT_OK(strand.Submit([] {}));
  EXPECT_OK(strand.Submit([] {}));
  EXPECT_THAT(strand.Submit([&] { third_ran = true; }),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2 jobs")));
  while (pool.RunOne()) {
  }
  EXPECT_FALSE(third_ran);
  EXPECT_OK(strand.Submit([] {}));
}

TEST(Strand, AFullPoolRefusesTheFirstJobAndLosesNoLaterOne) {
  ManualPool pool(/*queue_max=*/0);
  Strand strand(pool, 2);
  auto captured = std::make_shared<int>(1);
  EXPECT_THAT(strand.Submit([captured] {}), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(captured.use_count(), 1);  // destroyed unrun
  pool.set_queue_max(1);
  bool ran = false;
  EXPECT_OK(strand.Submit([&] { ran = true; }));
  pool.RunOne();
  EXPECT_TRUE(ran);
}

TEST(Strand, GoesOnInItsThreadWhenThePoolBecameFull) {
  ManualPool pool;
  Strand strand(pool, 10);
  int ran = 0;
  for (int i = 0; i < 3; ++i) EXPECT_OK(strand.Submit([&] { ++ran; }));
  pool.set_queue_max(0);
  pool.RunOne();
  EXPECT_EQ(ran, 3);
}

TEST(Strand, DestructionDropsWhatHasNotStarted) {
  ManualPool pool;
  auto captured = std::make_shared<int>(0);
  auto strand = std::make_optional<Strand>(pool, 10);
  EXPECT_OK(strand->Submit([&] { strand.reset(); }));  // also from a job of its own
  EXPECT_OK(strand->Submit([captured] { ++*captured; }));
  while (pool.RunOne()) {
  }
  EXPECT_FALSE(strand.has_value());
  EXPECT_EQ(*captured, 0);
  EXPECT_EQ(captured.use_count(), 1);
}

TEST(StrandThreads, OneJobAtATimeInOrderOfEachSubmitter) {
  ThreadedPool pool(3, 1000);
  std::vector<int> last(3, -1);  // written by jobs only: a second one at a time would be a race
  int ran = 0;
  std::atomic<int> accepted{0};
  std::atomic<int> finished{0};
  Strand strand(pool, 1000);
  std::vector<std::thread> submitters;
  for (size_t s = 0; s < 3; ++s) {
    submitters.emplace_back([&, s] {
      for (int i = 0; i < 100; ++i) {
        ASSERT_OK(strand.Submit([&, s, i] {
          EXPECT_EQ(last[s], i - 1);
          last[s] = i;
          ++ran;
          ++finished;
        }));
        ++accepted;
      }
    });
  }
  for (std::thread& thread : submitters) thread.join();
  while (finished.load() < accepted.load()) std::this_thread::yield();
  EXPECT_EQ(ran, 300);
}

}  // namespace
}  // namespace slipway::base
