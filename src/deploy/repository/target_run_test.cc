// What a publish finds, leaves and takes back in its targets.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/test_publisher.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A conflict in one target is found before anything is uploaded to another.
TEST_F(PublisherTest, AConflictStopsBeforeTheFirstUpload) {
  TestProject other(files_, "/other");
  other.Pack(kModel, "other bytes");
  other.targets = {{"west", *project_.stores[1]}};
  ASSERT_OK(Publish(other.Request({kModel}, clock_, pool_)).status);
  EXPECT_EQ(IdOf(Publish(Request()).status), "DT012");
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
}

// The package changes between the check and the copy.
TEST_F(PublisherTest, APackageThatChangesMeanwhileIsNotPublished) {
  PublishRequest request = Request();
  bool changed = false;
  request.progress = [&](const PublishProgress&) {
    if (changed) return;
    changed = true;
    auto file = project_.dist->Open("model-1.0.0.tar.gz", {.read = true, .write = true});
    ASSERT_OK(file);
    ASSERT_OK((*file)->WriteAt(0, base::AsBytes("MODEL")));
  };
  const PublishReport report = Publish(request);
  EXPECT_EQ(IdOf(report.status), "DT016");
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
  EXPECT_THAT(KeysOf(*project_.stores[1]), IsEmpty());
}

// Nor where nobody looks at it again after that copy.
TEST_F(PublisherTest, APackageThatChangesWhileTheOnlyTargetTakesItIsNotPublished) {  // D16, D18
  PublishRequest request = Request();
  request.targets.pop_back();
  bool changed = false;
  request.progress = [&](const PublishProgress& progress) {
    if (changed || progress.object != "model-1.0.0.tar.gz") return;
    changed = true;
    auto file = project_.dist->Open("model-1.0.0.tar.gz", {.read = true, .write = true});
    ASSERT_OK(file);
    ASSERT_OK((*file)->WriteAt(0, base::AsBytes("MODEL")));
  };
  EXPECT_EQ(IdOf(Publish(request).status), "DT016");
  EXPECT_TRUE(changed);
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
}

// D18: nobody may see the new package under the old manifest.
TEST_F(PublisherTest, AForcedPublishTakesTheOldManifestAwayFirst) {
  ASSERT_OK(Publish(Request()).status);
  project_.Pack(kModel, "other bytes");
  int puts = 0;
  for (const size_t target : {0, 1}) {
    MakeFaulty(target).before_put = [&, target](absl::string_view key) {
      if (absl::EndsWith(key, ".replacing")) return;
      ++puts;
      EXPECT_THAT(project_.stores[target]->Stat("model/1.0.0/model-1.0.0.manifest.json").status(),
                  StatusIs(absl::StatusCode::kNotFound))
          << key;
    };
  }
  PublishRequest request = Request();
  request.options.force = true;
  ASSERT_OK(Publish(request).status);
  EXPECT_EQ(puts, 8);  // package, two side files and manifest, twice
}

// One that dies between the new manifest and the mark leaves the mark.
TEST_F(PublisherTest, AForcedPublishOfWhatIsThereTakesAMarkAwayThatStayed) {  // D18
  constexpr char kMark[] = "model/1.0.0/model-1.0.0.replacing";
  ASSERT_OK(Publish(Request()).status);
  ASSERT_OK(PutText(*project_.stores[0], kMark, "", If::kAbsent));
  PublishRequest request = Request();
  request.options.force = true;
  ASSERT_OK(Publish(request).status);
  EXPECT_THAT(project_.stores[0]->Stat(kMark).status(), StatusIs(absl::StatusCode::kNotFound));
}

// D19: the way out is named only where it is one.
TEST_F(PublisherTest, TheHintNamesNoAtomicOnlyWhereATargetWorks) {
  const auto hint = [&] { return HintOf(Publish(Request()).status); };
  for (const size_t target : {0, 1}) {
    FaultyRepository& faulty = MakeFaulty(target);
    faulty.put_status = absl::UnavailableError("connection refused");
    EXPECT_EQ(absl::StrContains(hint(), "--no-atomic"), target == 0);
    EXPECT_THAT(hint(), HasSubstr("nothing was published"));
  }
}

// D19
TEST_F(PublisherTest, AtomicTakesEverythingBackWhenOneTargetFails) {
  for (const char* suffix :
       {".tar.gz", ".pieces", ".files.zst", ".manifest.json", ".publish.json"}) {
    base::sim::Files files(1);
    TestProject project(files);
    project.AddStore("east");
    project.AddStore("west");
    project.Pack(kModel, "model bytes");
    project.Pack({"config", "2.0.0"}, "config bytes");
    FaultyRepository faulty(*project.stores[1]);
    faulty.put_status = absl::UnavailableError("connection refused");
    faulty.put_suffix = std::string("model-1.0.0") + suffix;
    PublishRequest request = project.Request({{"config", "2.0.0"}, kModel}, clock_, pool_);
    request.targets = {{"east", *project.stores[0]}, {"west", faulty}};
    const PublishReport report = Publish(request);
    EXPECT_EQ(IdOf(report.status), "DT004") << suffix;
    EXPECT_EQ(ExitCodeOf(report.status), 4);
    EXPECT_THAT(std::string(report.status.message()), HasSubstr("publish model:1.0.0 to west"));
    EXPECT_THAT(HintOf(report.status), HasSubstr("nothing was published"));
    EXPECT_THAT(KeysOf(*project.stores[0]), IsEmpty()) << suffix;
    EXPECT_THAT(KeysOf(*project.stores[1]), IsEmpty()) << suffix;
    EXPECT_THAT(base::ReadFile(*project.records, "model-1.0.0.publish.json", kLimit).status(),
                StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(report.warnings, IsEmpty());
  }
}

// D19: only what is new in this run is taken back.
TEST_F(PublisherTest, AtomicKeepsWhatWasThereBefore) {
  PublishRequest first = Request();
  first.targets.pop_back();
  ASSERT_OK(Publish(first).status);
  const std::vector<std::string> keys = KeysOf(*project_.stores[0]);
  const std::string record = Record();
  FaultyRepository& west = MakeFaulty(1);
  for (const char* suffix : {".tar.gz", ".publish.json"}) {
    west.put_status = absl::PermissionDeniedError("read only");
    west.put_suffix = suffix;
    const PublishReport report = Publish(Request());
    EXPECT_EQ(IdOf(report.status), "DT005");
    EXPECT_EQ(KeysOf(*project_.stores[0]), keys);
    EXPECT_EQ(*GetText(*project_.stores[0], "model/1.0.0/model-1.0.0.publish.json", kLimit),
              record);
    EXPECT_EQ(Record(), record);
    EXPECT_THAT(KeysOf(*project_.stores[1]), IsEmpty());
  }
}

// D19
TEST_F(PublisherTest, WithoutAtomicTheGoodTargetsStayAndTheCommandCompletesTheRest) {
  FaultyRepository& west = MakeFaulty(1);
  west.put_status = absl::ResourceExhaustedError("No space left on device");
  PublishRequest request = Request();
  request.options.atomic = false;
  request.options.release_version = "2024.01.20";
  const PublishReport report = Publish(request);
  EXPECT_EQ(ExitCodeOf(report.status), 4);
  EXPECT_THAT(std::string(report.status.message()), HasSubstr("1 of 2 targets failed"));
  EXPECT_THAT(std::string(report.status.message()), HasSubstr("No space left on device"));
  EXPECT_EQ(HintOf(report.status), "complete with: deploy-tool publish model:1.0.0 --to west");
  EXPECT_EQ(report.targets[0].outcome, PublishOutcome::kPublished);
  EXPECT_EQ(report.targets[1].outcome, PublishOutcome::kFailed);
  EXPECT_EQ(IdOf(report.targets[1].status), "DT006");
  EXPECT_THAT(Record(), HasSubstr("\"east\""));
  EXPECT_THAT(Record(), Not(HasSubstr("\"west\"")));
  EXPECT_EQ(report.release, "");
  // D15: the completing command adds the location.
  west.put_status = absl::OkStatus();
  PublishRequest rest = Request();
  rest.targets.erase(rest.targets.begin());
  ASSERT_OK(Publish(rest).status);
  EXPECT_THAT(Record(), HasSubstr("\"east\""));
  EXPECT_THAT(Record(), HasSubstr("\"west\""));
  EXPECT_EQ(*GetText(*project_.stores[1], "model/1.0.0/model-1.0.0.publish.json", kLimit),
            Record());
}

TEST_F(PublisherTest, WithoutAtomicAllTargetsFailingIsThatFailure) {
  for (size_t i : {0, 1}) {
    FaultyRepository& faulty = MakeFaulty(i);
    faulty.read_status = absl::UnavailableError("no route to host");
  }
  PublishRequest request = Request();
  request.options.atomic = false;
  const PublishReport report = Publish(request);
  EXPECT_EQ(IdOf(report.status), "DT004");
  EXPECT_EQ(Record(), "");
}

// What a killed publish left is taken over if it is the same, else only by force.
TEST_F(PublisherTest, LeftoversWithoutAManifestAreTakenOverOrRefused) {
  ASSERT_OK(
      PutText(*project_.stores[0], "model/1.0.0/model-1.0.0.tar.gz", "model bytes", If::kAny));
  PublishRequest request = Request();
  ASSERT_OK(Publish(request).status);
  project_.Pack({"model", "1.1.0"}, "new bytes");
  ASSERT_OK(PutText(*project_.stores[0], "model/1.1.0/model-1.1.0.tar.gz", "old bytes", If::kAny));
  PublishRequest next = Request({{"model", "1.1.0"}});
  const PublishReport refused = Publish(next);
  EXPECT_EQ(IdOf(refused.status), "DT012");
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("unfinished publish"));
  EXPECT_EQ(*GetText(*project_.stores[0], "model/1.1.0/model-1.1.0.tar.gz", kLimit), "old bytes");
  next.options.force = true;
  ASSERT_OK(Publish(next).status);
  EXPECT_EQ(*GetText(*project_.stores[0], "model/1.1.0/model-1.1.0.tar.gz", kLimit), "new bytes");
}

TEST_F(PublisherTest, AStoreThatLostAnObjectIsMadeWhole) {
  ASSERT_OK(Publish(Request()).status);
  ASSERT_OK(project_.stores[0]->Remove("model/1.0.0/model-1.0.0.pieces"));
  const PublishReport report = Publish(Request());
  ASSERT_OK(report.status);
  EXPECT_EQ(report.targets[0].outcome, PublishOutcome::kPublished);
  EXPECT_EQ(report.targets[1].outcome, PublishOutcome::kAlreadyPublished);
  EXPECT_OK(project_.stores[0]->Stat("model/1.0.0/model-1.0.0.pieces"));
  ASSERT_OK(PutText(*project_.stores[0], "model/1.0.0/model-1.0.0.tar.gz", "short", If::kAny));
  EXPECT_EQ(IdOf(Publish(Request()).status), "DT007");
  PublishRequest forced = Request();
  forced.options.force = true;
  ASSERT_OK(Publish(forced).status);
  EXPECT_EQ(*GetText(*project_.stores[0], "model/1.0.0/model-1.0.0.tar.gz", kLimit), "model bytes");
}

TEST_F(PublisherTest, WithoutAtomicATargetWhoseRecordFailsIsNotInTheRecord) {
  FaultyRepository& west = MakeFaulty(1);
  west.put_status = absl::UnavailableError("gone");
  west.put_suffix = ".publish.json";
  PublishRequest request = Request();
  request.options.atomic = false;
  EXPECT_EQ(IdOf(Publish(request).status), "DT004");
  EXPECT_THAT(Record(), HasSubstr("\"east\""));
  EXPECT_THAT(Record(), Not(HasSubstr("\"west\"")));
}

}  // namespace
}  // namespace slipway::deploy
