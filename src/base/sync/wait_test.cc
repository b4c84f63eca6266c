#include "base/sync/wait.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/sync/test_pools.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::testing::Each;
using testing::StatusIs;

TEST(JobGroup, WaiterRunsTheJobsWhereNobodyElseDoes) {
  ManualPool pool;
  int ran = 0;
  JobGroup group(pool);
  for (int i = 0; i < 3; ++i) group.Run([&] { ++ran; });
  EXPECT_EQ(ran, 0);
  group.WaitUntil(1);
  EXPECT_EQ(ran, 2);
  group.Wait();
  EXPECT_EQ(ran, 3);
}

TEST(JobGroup, RunsHereWhenThePoolIsFull) {
  ManualPool pool(/*queue_max=*/1);
  int ran = 0;
  JobGroup group(pool);
  group.Run([&] { ++ran; });
  group.Run([&] { ran += 10; });
  EXPECT_EQ(ran, 10);
  group.Wait();
  EXPECT_EQ(ran, 11);
}

TEST(JobGroup, DestructionWaits) {
  ManualPool pool;
  int ran = 0;
  {
    JobGroup(pool).Run([&] { ++ran; });
  }
  EXPECT_EQ(ran, 1);
}

TEST(JobGroup, AJobThatThePoolDropsEndsTheWait) {
  ManualPool pool;
  JobGroup group(pool);
  group.Run([] {});
  pool.DropAll();
  group.Wait();
}

TEST(JobGroup, WhatAJobCapturedIsGoneAfterTheWait) {
  ThreadedPool pool(2, 100);
  auto captured = std::make_shared<int>(0);
  for (int round = 0; round < 100; ++round) {
    JobGroup group(pool);
    for (int i = 0; i < 4; ++i) group.Run([captured] {});
    group.Wait();
    ASSERT_EQ(captured.use_count(), 1);
  }
}

TEST(ParallelFor, CallsEveryIndexOnce) {
  ThreadedPool threaded(2, 100);
  ManualPool manual;
  ManualPool full(/*queue_max=*/0);
  for (Pool* pool :
       {static_cast<Pool*>(&threaded), static_cast<Pool*>(&manual), static_cast<Pool*>(&full)}) {
    for (size_t count : {0u, 1u, 2u, 100u}) {
      std::vector<int> calls(count, 0);
      EXPECT_OK(ParallelFor(*pool, count, [&](size_t i) {
        ++calls[i];
        return absl::OkStatus();
      }));
      EXPECT_THAT(calls, Each(1));
    }
  }
}

TEST(ParallelFor, ReturnsTheErrorOfTheLowestFailingIndex) {
  ManualPool pool;
  const absl::Status status = ParallelFor(pool, 100, [&](size_t i) {
    // While index 7 is being worked on, a helper goes on to 14 and fails there first.
    if (i == 7) pool.RunOne();
    return i >= 7 && i % 7 == 0 ? absl::DataLossError(absl::StrCat(i)) : absl::OkStatus();
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, "7"));
}

TEST(ParallelFor, ErrorDoesNotDependOnTiming) {
  ThreadedPool pool(3, 100);
  for (int round = 0; round < 100; ++round) {
    const absl::Status status = ParallelFor(pool, 100, [&](size_t i) {
      return i >= 7 && i % 7 == 0 ? absl::DataLossError(absl::StrCat(i)) : absl::OkStatus();
    });
    ASSERT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, "7"));
  }
}

// Keeps one job until it is told to start it, and tells when its user has no more to do itself.
class LatePool : public Pool {
 public:
  ~LatePool() override {
    if (thread_.joinable()) thread_.join();
  }
  absl::Status Submit(Task job) override {
    if (job_ != nullptr) return absl::ResourceExhaustedError("one is enough");
    job_ = std::move(job);
    return absl::OkStatus();
  }
  bool RunOne() override {
    user_waits_ = true;
    return false;
  }
  int threads() const override { return 1; }

  void Start() {
    thread_ = std::thread([job = std::move(job_)]() mutable { job(); });
  }
  void AwaitUserWaits() const {
    while (!user_waits_) std::this_thread::yield();
  }

 private:
  Task job_;
  std::thread thread_;
  std::atomic<bool> user_waits_{false};
};

TEST(ParallelFor, ALaterErrorOfAHigherIndexChangesNothing) {
  LatePool pool;
  std::atomic<bool> second_taken{false};
  const absl::Status status = ParallelFor(pool, 2, [&](size_t i) {
    if (i == 0) {
      pool.Start();
      while (!second_taken) std::this_thread::yield();
    } else {
      second_taken = true;
      pool.AwaitUserWaits();  // so the error of index 0 is known already
    }
    return absl::DataLossError(absl::StrCat(i));
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, "0"));
}

TEST(ParallelFor, StopsAfterAnError) {
  ManualPool pool;
  size_t calls = 0;
  EXPECT_THAT(ParallelFor(pool, 100,
                          [&](size_t i) {
                            ++calls;
                            return i == 2 ? absl::DataLossError("x") : absl::OkStatus();
                          }),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(calls, 3u);
}

}  // namespace
}  // namespace slipway::base
