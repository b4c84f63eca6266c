// The queue of groups; the disk store under several threads (also for the thread sanitizer).
#include "cas/store/group_queue.h"

#include <atomic>
#include <numeric>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/os/clock.h"
#include "base/os/thread.h"
#include "cas/store/test_store.h"

namespace slipway::cas {
namespace {

using base::testing::IsOkAndHolds;

struct Job {
  int number = 0;
  bool done = false;
};

// Runs `body(i)` in `count` threads.
void InThreads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    threads.push_back(base::os::StartThread(absl::StrCat("t-", i), [&body, i] { body(i); }));
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(GroupQueue, WhatComesWhileAGroupIsWorkedOnFormsTheNext) {
  constexpr int kThreads = 8;
  base::sim::Clock clock;
  std::vector<size_t> groups;
  GroupQueue<Job>* made = nullptr;
  GroupQueue<Job> queue({}, clock, [&](absl::Span<Job* const> group, size_t) {
    groups.push_back(group.size());  // by one thread at a time: nothing guards it
    while (groups.size() == 1 && made->waiting() < kThreads - group.size()) {
    }
    for (Job* job : group) job->done = true;
  });
  made = &queue;
  std::vector<Job> jobs(kThreads);
  InThreads(kThreads, [&](int i) {
    Job* const job[] = {&jobs[static_cast<size_t>(i)]};
    queue.Run(job);
    EXPECT_TRUE(jobs[static_cast<size_t>(i)].done);
  });
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0] + groups[1], static_cast<size_t>(kThreads));
}

TEST(GroupQueue, GroupsAreBoundedAndInOrder) {
  base::sim::Clock clock;
  std::vector<int> order;
  std::vector<size_t> groups;
  GroupQueue<Job> queue({.group_max = 3}, clock, [&](absl::Span<Job* const> group, size_t) {
    groups.push_back(group.size());
    for (const Job* job : group) order.push_back(job->number);
  });
  std::vector<Job> jobs(8);
  std::vector<Job*> pointers;
  for (int i = 0; i < 8; ++i) {
    jobs[static_cast<size_t>(i)].number = i;
    pointers.push_back(&jobs[static_cast<size_t>(i)]);
  }
  queue.Run(pointers);
  EXPECT_EQ(groups, (std::vector<size_t>{3, 3, 2}));
  std::vector<int> expected(8);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(GroupQueue, EveryJobIsDoneOnceUnderLoad) {
  base::os::SystemClock clock;
  std::atomic<int> inside{0};
  std::atomic<int> done{0};
  GroupQueue<Job> queue({.group_max = 5, .delay_max = absl::Microseconds(200)}, clock,
                        [&](absl::Span<Job* const> group, size_t) {
                          EXPECT_EQ(inside.fetch_add(1), 0);
                          for (Job* job : group) job->done = true;
                          done += static_cast<int>(group.size());
                          inside.fetch_sub(1);
                        });
  InThreads(4, [&](int) {
    for (int i = 0; i < 500; ++i) {
      Job job;
      Job* const jobs[] = {&job};
      queue.Run(jobs);
      EXPECT_TRUE(job.done);
    }
  });
  EXPECT_EQ(done.load(), 2000);
}

TEST(GroupQueue, ALargeGroupBeginsBesideAnother) {
  base::os::SystemClock clock;
  std::atomic<int> inside{0};
  std::atomic<size_t> lanes{0};
  bool together = true;
  base::Mutex mutex;
  GroupQueue<Job> queue({.lanes_max = 2, .beside_min = 3}, clock,
                        [&](absl::Span<Job* const>, size_t lane) {
                          ++inside;
                          lanes += lane;
                          const absl::Duration end = clock.Monotonic() + absl::Seconds(20);
                          while (inside < 2 && clock.Monotonic() < end) {
                          }
                          const base::MutexLock lock(mutex);
                          together = together && inside == 2;
                        });
  InThreads(2, [&](int i) {
    std::vector<Job> jobs(i == 0 ? 1 : 3);
    std::vector<Job*> pointers;
    for (Job& job : jobs) pointers.push_back(&job);
    while (i == 1 && inside == 0) {
    }
    queue.Run(pointers);
  });
  EXPECT_TRUE(together);
  EXPECT_EQ(lanes.load(), 1u);  // 0 and 1
}

// An index whose first change waits until the test says so.
class SlowIndex : public KeptIndex {
 public:
  SlowIndex(std::atomic<bool>& armed, std::function<void()> wait)
      : KeptIndex(MakeMemoryIndex()), armed_(armed), wait_(std::move(wait)) {}
  absl::Status Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase,
                     bool durable) override {
    if (armed_.exchange(false)) wait_();
    return KeptIndex::Apply(put, erase, durable);
  }

 private:
  std::atomic<bool>& armed_;
  const std::function<void()> wait_;
};

size_t SyncsIn(const std::vector<std::string>& trace) {
  size_t syncs = 0;
  for (const std::string& line : trace) {
    syncs += absl::StartsWith(line, "fsync") || absl::StartsWith(line, "syncfs") ? 1 : 0;
  }
  return syncs;
}

TEST(DiskStoreThreads, CommitsThatComeTogetherShareTheirSyncs) {  // Z137
  constexpr int kThreads = 16;
  std::atomic<bool> armed{false};
  std::atomic<int> committing{0};
  StoreScene scene;
  scene.make_index = [&](const std::string&) -> base::Owned<Index> {
    return std::make_unique<SlowIndex>(armed, [&] {
      while (committing.load() < kThreads) {
      }
    });
  };
  ASSERT_OK(scene.Open());
  const auto run = [&](uint64_t seed) {
    committing = 0;
    const size_t before = SyncsIn(scene.files.trace());
    InThreads(kThreads, [&](int i) {
      const std::string text = BlobText(seed + static_cast<uint64_t>(i), 500);
      const Digest digest = DigestOf(base::AsBytes(text));
      auto writer = scene->Store(digest);
      ASSERT_OK(writer);
      ASSERT_OK((*writer)->Append(base::AsBytes(text)));
      ++committing;
      EXPECT_OK((*writer)->Commit());
    });
    return SyncsIn(scene.files.trace()) - before;
  };
  size_t alone = 0;
  for (uint64_t i = 0; i < kThreads; ++i) {
    const size_t before = SyncsIn(scene.files.trace());
    ASSERT_OK(scene.Put(BlobText(100 + i, 500)));
    alone += SyncsIn(scene.files.trace()) - before;
  }
  EXPECT_GE(alone, 2u * kThreads);
  // The directories are made now; what is shared is what remains.
  for (uint64_t i = 0; i < kThreads; ++i) {
    const Digest digest = DigestOf(base::AsBytes(BlobText(200 + i, 500)));
    ASSERT_OK(scene.Put(BlobText(200 + i, 500)));
    ASSERT_THAT(scene->Remove(digest), IsOkAndHolds(true));
  }
  armed = true;
  // Half and less on a quiet machine; a thread may be late to the queue on a busy one.
  EXPECT_LT(run(200), alone);
}

TEST(DiskStoreThreads, StoringReadingAndRemovingTheSameBlobs) {  // ZR9
  StoreScene scene;
  scene.options.batch_delay_max = absl::Microseconds(100);
  ASSERT_OK(scene.Open());
  std::vector<std::string> texts;
  for (uint64_t i = 0; i < 6; ++i) texts.push_back(BlobText(i, 200 + i * 1000));
  InThreads(4, [&](int thread) {
    std::mt19937 random(static_cast<uint32_t>(thread));
    for (int step = 0; step < 250; ++step) {
      const std::string& text = texts[random() % texts.size()];
      const Digest digest = DigestOf(base::AsBytes(text));
      switch (random() % 6) {
        case 0:
        case 1:
          EXPECT_OK(scene.Put(text));
          break;
        case 2:
          EXPECT_OK(scene->Remove(digest));
          break;
        case 3:
          EXPECT_OK(scene->Check(digest));
          EXPECT_OK(scene->Contains(digest));
          break;
        case 4:
          EXPECT_OK(scene->List({}, 10));
          break;
        default: {
          const auto read = scene.Get(digest);
          EXPECT_TRUE(read.ok() ? *read == text : absl::IsNotFound(read.status())) << read.status();
        }
      }
      scene.clock.Advance(absl::Seconds(1));
    }
  });
  // Index and files agree.
  ASSERT_OK_AND_ASSIGN(const auto listed, scene->List({}, 100));
  std::map<Digest, bool> there;
  for (const StoredBlob& blob : listed) there[blob.digest] = true;
  for (const std::string& text : texts) {
    const Digest digest = DigestOf(base::AsBytes(text));
    EXPECT_EQ(scene.files.Exists(scene.ObjectFile(digest)), there[digest]);
    EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(there[digest]));
  }
  EXPECT_EQ(scene.Metric("zako_cas_quarantined"), 0);
}

TEST(DiskStoreThreads, ConcurrentUploadsOfOneBlobAllSucceed) {  // ZR9
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 100'000);
  const Digest digest = DigestOf(base::AsBytes(text));
  for (int round = 0; round < 10; ++round) {
    InThreads(8, [&](int) { EXPECT_OK(scene.Put(text)); });
    EXPECT_EQ(scene->Stats()->blobs, 1u);
    EXPECT_EQ(scene->Stats()->stored_bytes, 100'000u);
    EXPECT_THAT(scene->Remove(digest), IsOkAndHolds(true));
  }
}

TEST(DiskStoreThreads, DamageIsSetAsideOnceWhoeverFindsIt) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 50'000);
  const Digest digest = DigestOf(base::AsBytes(text));
  ASSERT_OK(scene.Put(text));
  ASSERT_OK(scene.Open());
  scene.Damage(digest, 40'000, "damage");
  InThreads(6, [&](int i) {
    const auto read =
        i == 0 ? absl::StatusOr<std::string>(scene->Verify(digest)) : scene.Get(digest);
    EXPECT_FALSE(read.ok());
  });
  EXPECT_EQ(scene.Metric("zako_cas_corrupt_total{where=\"read\"}") +
                scene.Metric("zako_cas_corrupt_total{where=\"scrub\"}"),
            1);
  EXPECT_EQ(scene.Metric("zako_cas_quarantined"), 1);
  ASSERT_OK(scene.Put(text));
  EXPECT_OK(scene->Verify(digest));
}

}  // namespace
}  // namespace slipway::cas
