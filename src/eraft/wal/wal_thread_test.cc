// The log with real threads and real files; for the thread sanitizer, too.
#include <atomic>
#include <future>
#include <thread>

#include "base/os/clock.h"
#include "base/os/pool.h"
#include "base/os/world.h"
#include "base/testing/temp_dir.h"
#include "eraft/wal/test_wal.h"

namespace slipway::eraft::wal {
namespace {

constexpr int kThreads = 4;
constexpr raft::Index kPerThread = 300;

class RealWal : public ::testing::Test {
 protected:
  void SetUp() override {
    base::Owned<base::Dir> opened = world_.world().files.OpenRoot(temp_.path());
    ASSERT_OK(opened);
    dir_ = *std::move(opened);
    options_.segment_bytes = 64 * base::kKiB;
  }
  absl::StatusOr<std::unique_ptr<Wal>> Open() {
    return Wal::Open(
        options_, {*dir_, writer_pool_, background_pool_, world_.world().clock, metrics_}, nullptr);
  }

  base::testing::TempDir temp_;
  base::os::World world_;
  WalOptions options_;
  std::unique_ptr<base::Dir> dir_;
  base::Metrics metrics_;
  // Room for a job of each log that ended before its job had its turn.
  base::os::ThreadPool writer_pool_{"wal", 1, 100};
  base::os::ThreadPool background_pool_{"wal-files", 1, 100};
};

TEST_F(RealWal, ALingeringLogWaitsForMoreButNotAtItsEnd) {  // E110
  options_.linger = absl::Milliseconds(30);
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Wal> wal, Open());
  base::Clock& clock = world_.world().clock;
  const absl::Duration begun = clock.Monotonic();
  std::promise<absl::Status> first;
  ASSERT_OK(wal->Append(1, {.entries = MakeEntries(1, 1, 1, 100)},
                        [&](absl::Status status) { first.set_value(std::move(status)); }));
  EXPECT_OK(first.get_future().get());
  EXPECT_GE(clock.Monotonic() - begun, options_.linger);
  ASSERT_OK(wal->Close());
  wal.reset();
  options_.linger = absl::Hours(1);
  ASSERT_OK_AND_ASSIGN(wal, Open());
  std::promise<absl::Status> second;
  ASSERT_OK(wal->Append(1, {.entries = MakeEntries(2, 1, 1, 100)},
                        [&](absl::Status status) { second.set_value(std::move(status)); }));
  ASSERT_OK(wal->Close());
  EXPECT_OK(second.get_future().get());
}

TEST_F(RealWal, ThreadsAppendReadAndTruncateAtOnce) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Wal> wal, Open());
  std::atomic<int> answered{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, group = static_cast<raft::GroupId>(t + 1)] {
      for (raft::Index index = 1; index <= kPerThread; ++index) {
        const absl::Status accepted = wal->Append(
            group, {.entries = MakeEntries(index, 1, group, 200)},
            [&, index, group, last = index](const absl::Status& status) {
              const auto view = wal->Find(group);
              if (!status.ok() || !view.has_value() || view->last_index < last) ++wrong;
              if (index % 40 == 0) {
                wal->Append(group, {.truncate_prefix = raft::SnapshotMark{index - 10, group, {}}},
                            nullptr)
                    .IgnoreError();
              }
              ++answered;
            });
        if (!accepted.ok()) ++wrong;
        const auto view = wal->Find(group);
        if (view.has_value() && view->last_index >= view->first_index && index % 7 == 0) {
          const auto entries = wal->Read(group, view->first_index, view->last_index, 4096);
          // It may have been truncated meanwhile, never be wrong.
          if (!entries.ok() && !absl::IsOutOfRange(entries.status())) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  wal->Tick();
  ASSERT_OK(wal->Close());
  EXPECT_EQ(answered, kThreads * static_cast<int>(kPerThread));
  EXPECT_EQ(wrong, 0);
  const LogModel before = ModelOf(*wal);
  wal.reset();
  ASSERT_OK_AND_ASSIGN(wal, Open());
  EXPECT_EQ(ModelOf(*wal), before);
  for (raft::GroupId group = 1; group <= kThreads; ++group) {
    EXPECT_EQ(wal->Find(group)->last_index, kPerThread);
  }
}

TEST_F(RealWal, EndsWithRequestsUnderWay) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<Wal> wal, Open());
    const auto view = wal->Find(1);
    const raft::Index next = view.has_value() ? view->last_index + 1 : 1;
    std::atomic<int> answers{0};
    for (raft::Index i = 0; i < 10; ++i) {
      ASSERT_OK(wal->Append(1, {.entries = MakeEntries(next + i, 1)},
                            [&](const absl::Status&) { ++answers; }));
    }
    wal.reset();  // answers each, with OK or Cancelled, before it is gone
    EXPECT_EQ(answers, 10) << round;
  }
}

}  // namespace
}  // namespace slipway::eraft::wal
