#include "base/os/loop.h"

#include <pthread.h>

#include <optional>
#include <vector>

#include "base/testing/status_matchers.h"

namespace slipway::base::os {
namespace {

using ::testing::ElementsAre;

// Hands one value from the loop to the test.
template <class T>
class Promise {
 public:
  void Set(T value) {
    MutexLock lock(mutex_);
    value_ = std::move(value);
    set_.NotifyAll();
  }
  T Get() {
    MutexLock lock(mutex_);
    while (!value_.has_value()) set_.Wait(mutex_);
    return *value_;
  }

 private:
  Mutex mutex_;
  CondVar set_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

TEST(ThreadLoop, RunsPostsInOrderOnItsNamedThread) {
  std::vector<int> ran;
  Promise<std::string> name;
  ThreadLoop loop("test");  // last, here and below: it ends before what its tasks use
  for (int i = 0; i < 3; ++i) loop.Post([&, i] { ran.push_back(i); });
  loop.Post([&] {
    char text[16] = {};
    pthread_getname_np(pthread_self(), text, sizeof(text));
    EXPECT_TRUE(loop.OnLoop());
    name.Set(text);
  });
  EXPECT_EQ(name.Get(), "loop-test");
  EXPECT_FALSE(loop.OnLoop());
  EXPECT_THAT(ran, ElementsAre(0, 1, 2));
}

TEST(ThreadLoop, TimersRunInOrderOfTheirTimes) {
  Promise<std::vector<int>> done;
  std::vector<int> ran;
  ThreadLoop loop("test");
  loop.Post([&] {
    loop.After(absl::Milliseconds(4), [&] {
      ran.push_back(4);
      done.Set(ran);
    });
    loop.After(absl::Milliseconds(2), [&] { ran.push_back(2); });
    loop.After(absl::ZeroDuration(), [&] { ran.push_back(0); });
    loop.After(-absl::Seconds(1), [&] { ran.push_back(1); });
    ran.push_back(-1);
  });
  EXPECT_THAT(done.Get(), ElementsAre(-1, 0, 1, 2, 4));
}

TEST(ThreadLoop, ACancelledTimerDoesNotRun) {
  Promise<bool> done;
  auto captured = std::make_shared<int>(0);
  ThreadLoop loop("test");
  loop.Post([&] {
    const uint64_t timer = loop.After(absl::ZeroDuration(), [captured] { ++*captured; });
    EXPECT_NE(timer, 0u);
    loop.Cancel(timer);
    loop.Cancel(timer);
    loop.Cancel(12345);
    loop.After(absl::Milliseconds(1), [&] { done.Set(true); });
  });
  done.Get();
  EXPECT_EQ(*captured, 0);
  EXPECT_EQ(captured.use_count(), 1);
}

TEST(ThreadLoop, TimersThatSetTimersDoNotStarvePosts) {
  Promise<bool> done;
  bool stop = false;
  Task again;
  ThreadLoop loop("test");
  again = [&] {
    if (!stop) loop.After(absl::ZeroDuration(), [&] { again(); });
  };
  loop.Post([&] { again(); });
  loop.Post([&] {
    stop = true;
    done.Set(true);
  });
  EXPECT_TRUE(done.Get());
}

TEST(ThreadLoop, DestructionDropsWhatHasNotRun) {
  auto captured = std::make_shared<int>(0);
  {
    Promise<bool> started;
    ThreadLoop loop("test");
    loop.Post([&] {
      loop.After(absl::Hours(1), [captured] { ++*captured; });
      started.Set(true);
    });
    started.Get();
  }
  EXPECT_EQ(*captured, 0);
  EXPECT_EQ(captured.use_count(), 1);
}

TEST(ThreadLoop, TakesPostsFromManyThreads) {
  int ran = 0;  // on the loop only
  Promise<int> counted;
  ThreadLoop loop("test");
  {
    Promise<bool> a_done, b_done;
    ThreadLoop a("a"), b("b");
    for (auto [other, done] : {std::pair(&a, &a_done), std::pair(&b, &b_done)}) {
      for (int i = 0; i < 100; ++i) {
        other->Post([&loop, &ran] { loop.Post([&ran] { ++ran; }); });
      }
      other->Post([done = done] { done->Set(true); });
    }
    a_done.Get();
    b_done.Get();
  }
  loop.Post([&] { counted.Set(ran); });
  EXPECT_EQ(counted.Get(), 200);
}

TEST(ThreadLoopDeathTest, TimersBelongToTheLoop) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadLoop loop("test");
        loop.After(absl::ZeroDuration(), [] {});
      },
      "OnLoop");
}

}  // namespace
}  // namespace slipway::base::os
