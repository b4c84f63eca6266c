#include "base/os/pool.h"

#include <pthread.h>

#include <atomic>
#include <memory>
#include <set>

#include "base/sync/cancel.h"
#include "base/sync/strand.h"
#include "base/sync/wait.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::os {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
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
