// Groups of the committer, made by hand.
#include "cas/store/committer.h"

#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/os/thread.h"
#include "base/testing/status_matchers.h"
#include "cas/store/test_store.h"

namespace slipway::cas {
namespace {

using base::testing::IsOkAndHolds;

// An index that calls `changed` after each change.
class WatchedIndex : public KeptIndex {
 public:
  WatchedIndex() : KeptIndex(MakeMemoryIndex()) {}
  absl::Status Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase,
                     bool durable) override {
    SLIPWAY_RETURN_IF_ERROR(KeptIndex::Apply(put, erase, durable));
    if (changed) changed(durable);
    return absl::OkStatus();
  }
  std::function<void(bool durable)> changed;
};

// A committer over a simulated disk, and blobs that wait for it. One more than few: each has
// another directory.
class Scene {
 public:
  static constexpr size_t kBlobs = 20;

  Scene() {
    auto opened = Layout::Open(kTestRoot, files, clock, counts);
    EXPECT_OK(opened);
    layout = *std::move(opened);
    committer.emplace(*layout, index, clock, DiskStoreOptions(), counts);
    for (size_t i = 0; i < kBlobs; ++i) {
      EXPECT_OK(layout->FanOut(static_cast<uint8_t>(i)));
      auto temp = layout->temp().CreateTemp();
      EXPECT_OK(temp);
      EXPECT_OK((*temp)->WriteAt(0, base::AsBytes("hello")));
      temps.push_back(*std::move(temp));
      CommitJob& job = jobs.emplace_back();
      job.digest.blake3[0] = static_cast<uint8_t>(i);
      job.digest.size_bytes = 5;
      job.temp = temps.back().get();
    }
  }

  // All as one group; the syncs that it took.
  std::vector<std::string> Commit() {
    const size_t before = files.trace().size();
    std::vector<CommitJob*> pointers;
    for (CommitJob& job : jobs) pointers.push_back(&job);
    committer->Run(pointers);
    std::vector<std::string> syncs;
    for (size_t i = before; i < files.trace().size(); ++i) {
      if (absl::StrContains(files.trace()[i], "sync")) syncs.push_back(files.trace()[i]);
    }
    return syncs;
  }

  base::sim::Files files{7};
  base::sim::Clock clock;
  base::Metrics metrics;
  DiskStoreMetrics counts{metrics};
  std::unique_ptr<Layout> layout;
  WatchedIndex index;
  std::optional<Committer> committer;
  std::vector<std::unique_ptr<base::File>> temps;
  std::vector<CommitJob> jobs;
};

TEST(Committer, ALargeGroupIsPendingUntilItsLastSync) {  // Z137
  Scene scene;
  size_t pending = 0;
  scene.index.changed = [&](bool durable) {
    EXPECT_FALSE(durable);  // the sync that follows is for it too
    for (const CommitJob& job : scene.jobs) {
      pending += scene.committer->Pending(job.digest.blake3) ? 1 : 0;
    }
  };
  const std::vector<std::string> syncs = scene.Commit();
  EXPECT_EQ(pending, Scene::kBlobs);
  EXPECT_EQ(syncs.size(), 2u);  // the bytes; the names and the index
  for (const CommitJob& job : scene.jobs) {
    EXPECT_OK(job.status);
    EXPECT_FALSE(scene.committer->Pending(job.digest.blake3));
    EXPECT_TRUE(scene.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced)
                    .Exists(absl::StrCat(kTestRoot, "/objects/", ObjectPath(job.digest.blake3))));
  }
}

TEST(Committer, ALargeGroupWhoseLastSyncFailsIsTakenBack) {  // ZR4
  Scene scene;
  bool first = true;
  scene.index.changed = [&](bool) {
    if (std::exchange(first, false)) scene.files.FailAt(1, base::ErrnoError(EIO, "fault"));
  };
  scene.Commit();
  EXPECT_FALSE(first);
  for (const CommitJob& job : scene.jobs) {
    EXPECT_FALSE(job.status.ok());
    EXPECT_FALSE(scene.committer->Pending(job.digest.blake3));
    EXPECT_TRUE(scene.committer->Doubtful(job.digest.blake3));
    EXPECT_THAT(scene.index.Find(job.digest.blake3), IsOkAndHolds(std::nullopt));
    EXPECT_FALSE(scene.layout->StatObject(job.digest.blake3)->has_value());
  }
}

TEST(Committer, WhoAsksForABlobThatIsTakenBackWaitsAndDoesNotFindIt) {  // ZR4, ZR9
  Scene scene;
  // As many as begin a group beside the other one.
  std::vector<CommitJob> asking(64);
  std::thread other;
  bool first = true;
  scene.index.changed = [&](bool) {
    if (!std::exchange(first, false)) return;
    scene.files.FailAt(1, base::ErrnoError(EIO, "fault"));
    other = base::os::StartThread("other", [&] {
      std::vector<CommitJob*> pointers;
      for (CommitJob& job : asking) {
        job.kind = CommitJob::Kind::kRecord;
        job.digest = scene.jobs[3].digest;
        pointers.push_back(&job);
      }
      scene.committer->Run(pointers);
    });
  };
  scene.Commit();
  other.join();
  for (const CommitJob& job : asking) EXPECT_FALSE(job.found);
}

}  // namespace
}  // namespace slipway::cas
