#include "base/os/pool.h"

#include <pthread.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "base/os/thread.h"
#include "base/sync/cancel.h"
#include "base/sync/strand.h"
#include "base/sync/wait.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::os {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

// A door that jobs wait at until the test opens it.
class Gate {
 public:
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Pass() {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void AwaitWaiting(int count) {
    MutexLock lock(mutex_);
    while (waiting_ < count) changed_.Wait(mutex_);
  }
  // False: fewer came within `limit`.
  bool AwaitWaiting(int count, absl::Duration limit) {
    MutexLock lock(mutex_);
    while (waiting_ < count) {
      if (!changed_.WaitFor(mutex_, limit)) return waiting_ >= count;
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST(ThreadPool, RunsAsManyJobsAtOnceAsItHasThreads) {
  Gate gate;
  ThreadPool pool("test", 3, 10);
  EXPECT_EQ(pool.threads(), 3);
  for (int i = 0; i < 3; ++i) ASSERT_OK(pool.Submit([&] { gate.Pass(); }));
  gate.AwaitWaiting(3);
  gate.Open();
}

// A thread counts as idle until it has taken a job, so it may be on its way to one already.
TEST(ThreadPool, AnIdleThreadIsNotCountedForTwoJobs) {
  for (int round = 0; round < 100; ++round) {
    Gate first, both;
    ThreadPool pool("test", 2, 10);
    ASSERT_OK(pool.Submit([&] { first.Pass(); }));
    first.AwaitWaiting(1);
    first.Open();
    for (int i = 0; i < 100; ++i) std::this_thread::yield();  // for it to become idle
    ASSERT_OK(pool.Submit([&] { both.Pass(); }));
    ASSERT_OK(pool.Submit([&] { both.Pass(); }));
    const bool together = both.AwaitWaiting(2, absl::Seconds(20));
    both.Open();
    ASSERT_TRUE(together) << "round " << round;
  }
}

TEST(ThreadPool, ThreadsAreNamed) {
  Gate gate;
  std::string name;
  ThreadPool pool("test", 1, 10);
  ASSERT_OK(pool.Submit([&] {
    char text[16] = {};
    pthread_getname_np(pthread_self(), text, sizeof(text));
    name = text;
    gate.Pass();
  }));
  gate.AwaitWaiting(1);
  EXPECT_EQ(name, "pool-test");
  gate.Open();
}

TEST(ThreadPool, RefusesWhatItsQueueCannotHold) {
  Gate gate;
  ThreadPool pool("test", 1, 2);
  ASSERT_OK(pool.Submit([&] { gate.Pass(); }));
  gate.AwaitWaiting(1);
  auto captured = std::make_shared<int>(0);
  ASSERT_OK(pool.Submit([captured] { ++*captured; }));
  ASSERT_OK(pool.Submit([captured] { ++*captured; }));
  EXPECT_THAT(pool.Submit([captured] { ++*captured; }),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2 jobs")));
  EXPECT_EQ(captured.use_count(), 3);
  EXPECT_TRUE(pool.RunOne());
  EXPECT_TRUE(pool.RunOne());
  EXPECT_FALSE(pool.RunOne());
  EXPECT_EQ(*captured, 2);
  gate.Open();
}

TEST(ThreadPool, DestructionWaitsForTheRunningJobAndKeepsNone) {
  auto captured = std::make_shared<int>(0);
  Gate gate;
  {
    ThreadPool pool("test", 1, 10);
    ASSERT_OK(pool.Submit([&] { gate.Pass(); }));
    gate.AwaitWaiting(1);
    ASSERT_OK(pool.Submit([captured] { ++*captured; }));
    gate.Open();  // the second job runs or is dropped: the test cannot know
  }
  EXPECT_EQ(captured.use_count(), 1);
}

TEST(ThreadPool, JobsThatHaveNotBegunAreDroppedAtTheEnd) {
  int ran = 0;
  auto captured = std::make_shared<int>(0);
  {
    ThreadPool pool("test", 1, 2);
    Gate gate;
    ASSERT_OK(pool.Submit([&] {
      gate.Pass();
      while (!absl::StrContains(pool.Submit([] {}).message(), "is ending")) {
        std::this_thread::yield();
      }
    }));
    gate.AwaitWaiting(1);
    ASSERT_OK(pool.Submit([captured, &ran] { ++ran; }));
    ASSERT_OK(pool.Submit([captured, &ran] { ++ran; }));
    gate.Open();
  }
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(captured.use_count(), 1);
}

TEST(ThreadPool, CarriesStrandsGroupsAndCancellation) {
  Gate gate;
  CancelSource source;
  std::vector<int> seen;  // by the strand only
  std::atomic<int> submitted{0};
  ThreadPool pool("test", 3, 100);
  Strand strand(pool, 1000);
  JobGroup group(pool);
  for (int i = 0; i < 50; ++i) {
    group.Run([&, i] {
      if (i == 25) source.Cancel({.kind = CancelReason::Kind::kOther});
      if (strand.Submit([&, i] { seen.push_back(i); }).ok()) ++submitted;
    });
  }
  group.Wait();
  EXPECT_TRUE(source.token().cancelled());
  absl::Status last;
  do {  // the pool itself may be full for a moment
    last = strand.Submit([&] { gate.Pass(); });
  } while (!last.ok() && pool.RunOne());
  ASSERT_OK(last);
  gate.AwaitWaiting(1);
  EXPECT_EQ(seen.size(), static_cast<size_t>(submitted.load()));
  EXPECT_EQ(std::set<int>(seen.begin(), seen.end()).size(), seen.size());
  gate.Open();
}

// While it lives the system gives no thread: each would need a stack larger than all memory.
class NoThreads {
 public:
  NoThreads() {
    pthread_attr_init(&attributes_);
    EXPECT_EQ(pthread_getattr_default_np(&before_), 0);
    EXPECT_EQ(pthread_attr_setstacksize(&attributes_, size_t{1} << 47), 0);
    EXPECT_EQ(pthread_setattr_default_np(&attributes_), 0);
  }
  ~NoThreads() {
    EXPECT_EQ(pthread_setattr_default_np(&before_), 0);
    pthread_attr_destroy(&attributes_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t attributes_;
  pthread_attr_t before_;
};

TEST(ThreadPool, WithoutAThreadTheJobIsRefusedAndTheWaiterDoesTheWork) {
  ThreadPool pool("test", 2, 4);
  auto captured = std::make_shared<int>(0);
  {
    const NoThreads none;
    EXPECT_THAT(pool.Submit([captured] { ++*captured; }),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("ulimit -u")));
    EXPECT_EQ(captured.use_count(), 1);
    EXPECT_FALSE(pool.RunOne());
    int sum = 0;
    EXPECT_OK(ParallelFor(pool, 100, [&](size_t i) {
      sum += static_cast<int>(i);
      return absl::OkStatus();
    }));
    EXPECT_EQ(sum, 4950);
  }
  Gate gate;
  ThreadPool later("later", 1, 4);
  EXPECT_OK(later.Submit([&] { gate.Pass(); }));
  gate.AwaitWaiting(1);
  gate.Open();
}

TEST(ThreadPool, WithFewerThreadsThanWantedAllJobsAreDone) {
  Gate first, second;
  ThreadPool pool("test", 3, 4);
  ASSERT_OK(pool.Submit([&] { first.Pass(); }));
  first.AwaitWaiting(1);
  {
    const NoThreads none;
    EXPECT_OK(pool.Submit([&] { second.Pass(); }));
  }
  first.Open();
  second.AwaitWaiting(1);
  second.Open();
}

TEST(ThreadDeathTest, AProgramThatCannotWorkWithoutAThreadSaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const NoThreads none;
        StartThread("signals", [] {}).join();
      },
      ::testing::ExitedWithCode(1), "error: start thread signals: .*ulimit -u");
}

TEST(ThreadPool, ParallelForUsesIt) {
  ThreadPool pool("test", 2, 4);
  std::atomic<int> sum{0};
  EXPECT_OK(ParallelFor(pool, 1000, [&](size_t i) {
    sum += static_cast<int>(i);
    return absl::OkStatus();
  }));
  EXPECT_EQ(sum, 499500);
}

}  // namespace
}  // namespace slipway::base::os
