// Publishing on the real system: threads, processes that are killed, locks between them.
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/os/clock.h"
#include "base/os/files.h"
#include "base/os/pool.h"
#include "base/sync/mutex.h"
#include "base/sync/wait.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/publisher.h"
#include "deploy/repository/resolver.h"
#include "deploy/repository/test_faulty_repository.h"
#include "deploy/repository/test_project.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::StatusIs;

constexpr uint64_t kLimit = 1 << 20;

// All that come wait until all are there; false when that does not happen.
class Meeting {
 public:
  explicit Meeting(int count) : missing_(count) {}
  bool Come() {
    const base::MutexLock lock(mutex_);
    --missing_;
    changed_.NotifyAll();
    while (missing_ > 0) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(20))) return false;
    }
    return true;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int missing_ ABSL_GUARDED_BY(mutex_);
};

// D13: no target waits for another one; here each waits for all others in the middle of its upload.
TEST(PublisherConcurrency, TargetsAreServedAtTheSameTime) {
  base::testing::TempDir dir;
  base::os::LinuxFiles files;
  base::os::SystemClock clock;
  base::os::ThreadPool pool("io", 3, 16);
  TestProject project(files, dir.path());
  project.Pack({"model", "1.0.0"}, "model bytes");
  Meeting meeting(3);
  std::vector<std::unique_ptr<FaultyRepository>> slow;
  for (int i = 0; i < 3; ++i) {
    project.AddStore(absl::StrCat("s", i));
    slow.push_back(std::make_unique<FaultyRepository>(*project.stores.back()));
    slow.back()->before_put = [&](absl::string_view key) {
      if (absl::EndsWith(key, ".tar.gz")) {
        EXPECT_TRUE(meeting.Come());
      }
    };
    project.targets.back().repository = slow.back().get();
  }
  EXPECT_OK(Publish(project.Request({{"model", "1.0.0"}}, clock, pool)).status);
}

// D15 on the real system: publishers with threads of their own, each with two of four targets.
TEST(PublisherConcurrency, AllPublishersEndUpInTheRecord) {
  base::testing::TempDir dir;
  base::os::LinuxFiles files;
  base::os::SystemClock clock;
  base::os::ThreadPool publishers("publish", 4, 16);
  {
    TestProject project(files, dir.path());
    project.Pack({"model", "1.0.0"}, "model bytes");
  }
  ASSERT_OK(base::ParallelFor(publishers, 4, [&](size_t i) -> absl::Status {
    base::os::ThreadPool pool("io", 2, 16);
    TestProject project(files, dir.path());
    project.AddStore(absl::StrCat("s", 2 * i));
    project.AddStore(absl::StrCat("s", 2 * i + 1));
    return Publish(project.Request({{"model", "1.0.0"}}, clock, pool)).status;
  }));
  TestProject project(files, dir.path());
  const auto text = base::ReadFile(*project.records, "model-1.0.0.publish.json", kLimit);
  ASSERT_OK(text);
  const absl::StatusOr<PublishRecord> record = ParseRecord(*text);
  ASSERT_OK(record);
  EXPECT_EQ(record->locations.size(), 8u);
}

// D15, D18: the same version into the same target by several at once.
TEST(PublisherConcurrency, TheSameTargetIsPublishedOnce) {
  base::testing::TempDir dir;
  base::os::LinuxFiles files;
  base::os::SystemClock clock;
  base::os::ThreadPool publishers("publish", 4, 16);
  {
    TestProject project(files, dir.path());
    project.Pack({"model", "1.0.0"}, "model bytes");
  }
  ASSERT_OK(base::ParallelFor(publishers, 4, [&](size_t) -> absl::Status {
    base::os::ThreadPool pool("io", 2, 16);
    TestProject project(files, dir.path());
    project.AddStore("s");
    return Publish(project.Request({{"model", "1.0.0"}}, clock, pool)).status;
  }));
  TestProject project(files, dir.path());
  project.AddStore("s");
  EXPECT_EQ(KeysOf(*project.stores[0]).size(), 5u);
}

#ifdef SLIPWAY_FAULTS
// D280, D18: killed at a named step; nobody sees half a version, and the next publish completes it.
TEST(PublisherKilled, AtEachStepLeavesNothingHalfAndTheNextCompletes) {
  for (const char* step :
       {"publish.object=before", "publish.object=after", "publish.object.before=crash:4",
        "publish.manifest=before", "publish.manifest=after", "publish.target-record=before",
        "publish.target-record=after", "publish.record=before", "publish.record=after",
        "publish.release=before", "publish.release=after"}) {
    SCOPED_TRACE(step);
    base::testing::TempDir dir;
    base::os::LinuxFiles files;
    base::os::SystemClock clock;
    const auto publish = [&] {
      base::os::ThreadPool pool("io", 2, 16);
      TestProject project(files, dir.path());
      project.AddStore("east");
      project.AddStore("west");
      PublishRequest request = project.Request({{"model", "1.0.0"}}, clock, pool);
      request.options.release_version = "1.0.0";
      return Publish(request).status;
    };
    TestProject(files, dir.path()).Pack({"model", "1.0.0"}, "model bytes");
    EXPECT_EXIT(
        {
          (void)base::SetFailpoints(step);
          (void)publish();
        },
        ::testing::KilledBySignal(SIGKILL), "");
    TestProject project(files, dir.path());
    for (const char* name : {"east", "west"}) {
      project.AddStore(name);
      Repository& store = *project.stores.back();
      const auto resolved = Resolver({{name, 0, store}}).Resolve({"model", "1.0.0"});
      if (resolved.ok()) {
        EXPECT_EQ(*GetText(store, "model/1.0.0/model-1.0.0.tar.gz", kLimit), "model bytes");
      } else {
        EXPECT_THAT(resolved, StatusIs(absl::StatusCode::kNotFound));
      }
    }
    EXPECT_OK(publish());
    EXPECT_EQ(KeysOf(*project.stores[0]).size(), 6u);
    EXPECT_EQ(KeysOf(*project.stores[1]), KeysOf(*project.stores[0]));
    EXPECT_OK(project.releases->Stat("1.0.0.release.json"));
  }
}
#endif  // SLIPWAY_FAULTS

}  // namespace
}  // namespace slipway::deploy
