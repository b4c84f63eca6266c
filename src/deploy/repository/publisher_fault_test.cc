// D18, D280, D283, D284: a publish that is cut off at any operation, by a kill, by power loss, by a
// full or failing disk. A reader never resolves an incomplete version, and the next publish
// completes.
#include <string>

#include "base/failpoint.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/repository/publisher.h"
#include "deploy/repository/resolver.h"
#include "deploy/repository/test_project.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::StatusIs;

constexpr uint64_t kLimit = 1 << 20;
constexpr int kStepsMax = 400;
const Component kModel{"model", "1.0.0"};
constexpr char kContent[] = "model bytes";

class Scene {
 public:
  explicit Scene(base::sim::Files files) : files_(std::move(files)), project_(files_) {
    project_.AddStore("east");
    project_.AddStore("west");
  }

  base::sim::Files& files() { return files_; }
  TestProject& project() { return project_; }

  absl::Status Publish(bool force = false) {
    PublishRequest request = project_.Request({kModel}, clock_, pool_);
    if (release) request.options.release_version = "2024.01.20";
    request.options.force = force;
    return deploy::Publish(request).status;
  }

  bool release = true;  // publish one too

  // What each store shows: the package, "none", or "mixed" where it is not what its manifest says.
  std::vector<std::string> Shown() {
    std::vector<std::string> shown;
    for (const PublishTarget& target : project_.targets) {
      const auto resolved =
          Resolver({{target.name, 0, *target.repository}}).Resolve({"model", "1.0.0"});
      const auto package =
          GetText(*target.repository, ObjectKey(kModel, "model-1.0.0.tar.gz"), kLimit);
      const bool whole =
          resolved.ok() && package.ok() && HexOf(*package) == resolved->manifest.package.sha256;
      shown.push_back(!resolved.ok() ? "none" : whole ? *package : "mixed");
    }
    return shown;
  }

  // Not there, or there whole; returns in how many stores it is.
  int CheckReaders() {
    int seen = 0;
    for (const PublishTarget& target : project_.targets) {
      const Resolver resolver({{target.name, 0, *target.repository}});
      const auto resolved = resolver.Resolve({"model", "1.0.0"});
      if (!resolved.ok()) {
        EXPECT_THAT(resolved, StatusIs(absl::StatusCode::kNotFound));
        continue;
      }
      ++seen;
      const auto package =
          GetText(*target.repository, ObjectKey(kModel, resolved->manifest.package.file), kLimit);
      EXPECT_EQ(package.value_or("none"), kContent);
      EXPECT_OK(resolver.FetchSideFile(*resolved, *resolved->manifest.package.pieces, kLimit));
      EXPECT_OK(resolver.FetchSideFile(*resolved, *resolved->manifest.package.index, kLimit));
    }
    return seen;
  }

  // All that a publish promises.
  void CheckComplete() {
    EXPECT_EQ(CheckReaders(), 2);
    const auto text = base::ReadFile(*project_.records, "model-1.0.0.publish.json", kLimit);
    ASSERT_OK(text);
    const auto record = ParseRecord(*text);
    ASSERT_OK(record);
    EXPECT_EQ(record->locations.size(), 2u);
    for (const PublishTarget& target : project_.targets) {
      EXPECT_OK(target.repository->Stat(ObjectKey(kModel, "model-1.0.0.publish.json")));
      EXPECT_OK(target.repository->Stat("releases/2024.01.20.release.json"));
    }
    EXPECT_OK(project_.releases->Stat("2024.01.20.release.json"));
  }

 private:
  base::sim::Files files_;
  base::sim::Clock clock_;
  base::sim::Pool pool_{/*seed=*/3};
  TestProject project_;
};

base::sim::Files Packed() {
  base::sim::Files files(11);
  Scene scene(files);
  scene.project().Pack(kModel, kContent);
  scene.files().Settle();
  return scene.files();
}

void CutOffEverywhere(base::sim::Loss loss, uint64_t attempts) {
  const base::sim::Files before = Packed();
  bool completed = false;
  for (int n = 1; n <= kStepsMax && !completed; ++n) {
    Scene scene(before);
    scene.files().PowerLossAt(n);
    const absl::Status status = scene.Publish();
    completed = !scene.files().off();
    EXPECT_EQ(completed, status.ok()) << n << " " << status;
    for (uint64_t attempt = 0; attempt < attempts; ++attempt) {
      Scene after(scene.files().AfterReboot(loss, attempt));
      SCOPED_TRACE(absl::StrCat("n ", n, " attempt ", attempt));
      after.CheckReaders();
      if (completed) after.CheckComplete();
      EXPECT_OK(after.Publish());
      after.CheckComplete();
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_TRUE(completed) << "more steps than " << kStepsMax;
}

// The process is killed and the machine lives.
TEST(PublisherFaults, KilledAtAnyOperation) { CutOffEverywhere(base::sim::Loss::kKeepAll, 1); }

TEST(PublisherFaults, PowerLossAtAnyOperation) { CutOffEverywhere(base::sim::Loss::kSeeded, 3); }

TEST(PublisherFaults, PowerLossThatKeepsOnlyWhatWasSynced) {
  CutOffEverywhere(base::sim::Loss::kLoseAllUnsynced, 1);
}

// D18: a replacement that is cut off leaves the old version, the new one or none, and the next
// publish makes it whole, without force too, unless the old one still stands untouched.
TEST(PublisherFaults, ForcedReplacementThatIsCutOffIsCompletedByThePublishAfterIt) {
  Scene first(Packed());
  first.release = false;
  ASSERT_OK(first.Publish());
  first.project().Pack(kModel, "other bytes");
  first.files().Settle();
  const base::sim::Files before = first.files();
  bool completed = false;
  int gone = 0;
  for (int n = 1; n <= kStepsMax && !completed; ++n) {
    for (const base::sim::Loss loss : {base::sim::Loss::kKeepAll, base::sim::Loss::kSeeded}) {
      SCOPED_TRACE(absl::StrCat("n ", n));
      Scene scene(before);
      scene.release = false;
      scene.files().PowerLossAt(n);
      const absl::Status status = scene.Publish(/*force=*/true);
      completed = !scene.files().off();
      EXPECT_EQ(completed, status.ok()) << status;
      Scene after(scene.files().AfterReboot(loss, 0));
      after.release = false;
      int untouched = 0;
      for (const std::string& shown : after.Shown()) {
        EXPECT_THAT(shown, ::testing::AnyOf("none", kContent, "other bytes"));
        untouched += shown == kContent ? 1 : 0;
        gone += shown == "none" ? 1 : 0;
      }
      const absl::Status again = after.Publish();
      EXPECT_EQ(again.ok(), untouched == 0) << again;
      EXPECT_OK(after.Publish(/*force=*/true));
      EXPECT_THAT(after.Shown(), ::testing::Each("other bytes"));
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_TRUE(completed) << "more steps than " << kStepsMax;
  EXPECT_GT(gone, 0);  // so the way back was taken
}

// D284: reported with its id, nothing half shown, and all is well once the disk is.
TEST(PublisherFaults, FailingOperations) {
  const base::sim::Files before = Packed();
  for (const int error : {ENOSPC, EIO}) {
    bool completed = false;
    for (int n = 1; n <= kStepsMax && !completed; ++n) {
      Scene scene(before);
      scene.files().FailAt(n, base::ErrnoError(error, "fault"));
      const absl::Status status = scene.Publish();
      completed = scene.files().operations() < n;
      SCOPED_TRACE(absl::StrCat("n ", n, " ", status.ToString()));
      EXPECT_EQ(completed, status.ok());
      if (!completed) {
        const std::string id = base::GetErrorInfo(status).code;
        EXPECT_EQ(id, error == ENOSPC ? "DT006" : "DT004");
        EXPECT_EQ(ExitCodeOf(status), 4);
      }
      scene.files().ClearFaults();
      const int seen = scene.CheckReaders();
      // A record never names what was taken away again.
      const bool recorded = scene.project().records->Stat("model-1.0.0.publish.json").ok();
      EXPECT_TRUE(!recorded || seen == 2) << seen;
      EXPECT_OK(scene.Publish());
      scene.CheckComplete();
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_TRUE(completed) << "more steps than " << kStepsMax;
  }
}

// The proof of the proof: where syncs lie, a power loss after OK loses something.
TEST(PublisherFaults, ALyingDiskIsSeen) {
  Scene scene(Packed());
  scene.files().SetLie(base::sim::Lie::kDirSync);
  ASSERT_OK(scene.Publish());
  Scene after(scene.files().AfterReboot(base::sim::Loss::kLoseAllUnsynced));
  EXPECT_LT(after.CheckReaders(), 2);
}

#ifdef SLIPWAY_FAULTS
// The failpoints as errors: an atomic publish takes everything back whichever step fails.
TEST(PublisherFailpoints, AnErrorAtEachStepTakesEverythingBack) {
  for (const char* step : {"publish.object.before=error", "publish.object.after=error:3",
                           "publish.manifest.before=error", "publish.manifest.after=error",
                           "publish.target-record.before=error",
                           "publish.target-record.after=error", "publish.record.before=error"}) {
    SCOPED_TRACE(step);
    base::sim::Files files(1);
    base::sim::Clock clock;
    base::sim::Pool pool(1);
    TestProject project(files);
    project.Pack({"model", "1.0.0"}, "model bytes");
    project.AddStore("east");
    project.AddStore("west");
    ASSERT_OK(base::SetFailpoints(step));
    EXPECT_FALSE(Publish(project.Request({{"model", "1.0.0"}}, clock, pool)).status.ok());
    ASSERT_OK(base::SetFailpoints(""));
    EXPECT_TRUE(KeysOf(*project.stores[0]).empty());
    EXPECT_TRUE(KeysOf(*project.stores[1]).empty());
    EXPECT_OK(Publish(project.Request({{"model", "1.0.0"}}, clock, pool)).status);
  }
}
#endif  // SLIPWAY_FAULTS

}  // namespace
}  // namespace slipway::deploy
