#include "deploy/repository/publisher.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/test_faulty_repository.h"
#include "deploy/repository/test_project.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint64_t kLimit = 1 << 20;

std::string IdOf(const absl::Status& status) { return base::GetErrorInfo(status).code; }
std::string HintOf(const absl::Status& status) { return base::GetErrorInfo(status).hint; }

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest() {
    project_.AddStore("east");
    project_.AddStore("west");
    project_.Pack(kModel, "model bytes");
  }

  PublishRequest Request(std::vector<Component> components = {{"model", "1.0.0"}}) {
    return project_.Request(std::move(components), clock_, pool_);
  }

  FaultyRepository& MakeFaulty(size_t target) {
    faulty_.push_back(std::make_unique<FaultyRepository>(*project_.stores[target]));
    project_.targets[target].repository = faulty_.back().get();
    return *faulty_.back();
  }

  std::string Record(const std::string& name = "model-1.0.0.publish.json") {
    return base::ReadFile(*project_.records, name, kLimit).value_or("");
  }

  const Component kModel{"model", "1.0.0"};
  base::sim::Files files_{/*seed=*/1};
  base::sim::Clock clock_;
  base::sim::Pool pool_{/*seed=*/1};
  TestProject project_{files_};
  std::vector<std::unique_ptr<FaultyRepository>> faulty_;
};

// D14, D17
TEST_F(PublisherTest, PutsAllObjectsAndTheRecordInEveryTarget) {
  const PublishReport report = Publish(Request());
  ASSERT_OK(report.status);
  for (auto& store : project_.stores) {
    EXPECT_THAT(
        KeysOf(*store),
        ElementsAre("model/1.0.0/model-1.0.0.files.zst", "model/1.0.0/model-1.0.0.manifest.json",
                    "model/1.0.0/model-1.0.0.pieces", "model/1.0.0/model-1.0.0.publish.json",
                    "model/1.0.0/model-1.0.0.tar.gz"));
    EXPECT_EQ(*GetText(*store, "model/1.0.0/model-1.0.0.tar.gz", kLimit), "model bytes");
    EXPECT_EQ(*GetText(*store, "model/1.0.0/model-1.0.0.publish.json", kLimit), Record());
  }
  EXPECT_EQ(Record(), R"({
  "component": {
    "type": "model",
    "version": "1.0.0"
  },
  "locations": [
    {
      "name": "east",
      "type": "filesystem",
      "path": "/project/stores/east/model/1.0.0/",
      "url": "file:///project/stores/east/model/1.0.0/model-1.0.0.tar.gz"
    },
    {
      "name": "west",
      "type": "filesystem",
      "path": "/project/stores/west/model/1.0.0/",
      "url": "file:///project/stores/west/model/1.0.0/model-1.0.0.tar.gz"
    }
  ],
  "published_at": "2024-01-20T10:00:00Z"
}
)");
  ASSERT_EQ(report.targets.size(), 2u);
  EXPECT_EQ(report.targets[0].outcome, PublishOutcome::kPublished);
  EXPECT_GT(report.targets[0].bytes_uploaded, 11u);
  EXPECT_THAT(report.records, ElementsAre("model-1.0.0.publish.json"));
}

// D18
TEST_F(PublisherTest, PutsTheManifestAfterAllElseAndTheRecordAfterIt) {
  std::vector<std::string> order;
  MakeFaulty(0).before_put = [&](absl::string_view key) {
    order.push_back(std::string(base::SplitPath(key).second));
  };
  ASSERT_OK(Publish(Request()).status);
  EXPECT_THAT(order,
              ElementsAre("model-1.0.0.tar.gz", "model-1.0.0.pieces", "model-1.0.0.files.zst",
                          "model-1.0.0.manifest.json", "model-1.0.0.publish.json"));
}

// D18
TEST_F(PublisherTest, TheSamePackageAgainIsAlreadyPublishedAndChangesNoFile) {
  ASSERT_OK(Publish(Request()).status);
  const std::string before = files_.Tree();
  clock_.Advance(absl::Hours(1));
  const PublishReport again = Publish(Request());
  ASSERT_OK(again.status);
  EXPECT_EQ(again.targets[0].outcome, PublishOutcome::kAlreadyPublished);
  EXPECT_EQ(again.targets[1].bytes_uploaded, 0u);
  EXPECT_EQ(files_.Tree(), before);
}

// D18
TEST_F(PublisherTest, OtherContentOfAVersionIsRefusedUnlessForced) {
  ASSERT_OK(Publish(Request()).status);
  const std::string before = files_.Tree();
  project_.Pack(kModel, "other bytes");
  const PublishReport refused = Publish(Request());
  EXPECT_EQ(IdOf(refused.status), "DT012");
  EXPECT_EQ(ExitCodeOf(refused.status), 7);
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("publish model:1.0.0 to east"));
  EXPECT_EQ(*GetText(*project_.stores[0], "model/1.0.0/model-1.0.0.tar.gz", kLimit), "model bytes");
  PublishRequest forced = Request();
  forced.options.force = true;
  ASSERT_OK(Publish(forced).status);
  for (auto& store : project_.stores) {
    EXPECT_EQ(*GetText(*store, "model/1.0.0/model-1.0.0.tar.gz", kLimit), "other bytes");
    EXPECT_THAT(*GetText(*store, "model/1.0.0/model-1.0.0.manifest.json", kLimit),
                HasSubstr(HexOf("other bytes")));
  }
}

// A conflict in one target is found before anything is uploaded to another.
TEST_F(PublisherTest, AConflictStopsBeforeTheFirstUpload) {
  TestProject other(files_, "/other");
  other.Pack(kModel, "other bytes");
  other.targets = {{"west", *project_.stores[1]}};
  ASSERT_OK(Publish(other.Request({kModel}, clock_, pool_)).status);
  EXPECT_EQ(IdOf(Publish(Request()).status), "DT012");
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
}

// D123: what is in dist is checked before any byte goes out.
TEST_F(PublisherTest, ADamagedPackageIsRefusedBeforeAnythingIsWritten) {
  for (const char* name : {"model-1.0.0.tar.gz", "model-1.0.0.pieces", "model-1.0.0.files.zst"}) {
    project_.Pack(kModel, "model bytes");
    TestProject::Write(*project_.dist, name, "model bytez");
    const PublishReport report = Publish(Request());
    EXPECT_EQ(IdOf(report.status), "DT007") << name;
    EXPECT_THAT(std::string(report.status.message()), HasSubstr(name));
    EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
    EXPECT_EQ(Record(), "");
  }
}

TEST_F(PublisherTest, SaysWhatIsMissing) {
  EXPECT_EQ(IdOf(Publish(Request({{"config", "1.0.0"}})).status), "DT010");
  ASSERT_OK(project_.dist->Remove("model-1.0.0.tar.gz"));
  EXPECT_EQ(IdOf(Publish(Request()).status), "DT002");
  EXPECT_EQ(IdOf(Publish(Request({})).status), "DT009");
  EXPECT_EQ(IdOf(Publish(Request({{"../x", "1.0.0"}})).status), "DT013");
  EXPECT_EQ(IdOf(Publish(Request({{"model", ".."}})).status), "DT003");
  EXPECT_EQ(IdOf(Publish(Request({kModel, kModel})).status), "DT001");
  PublishRequest none = Request();
  none.targets.clear();
  EXPECT_EQ(IdOf(Publish(none).status), "DT009");
  PublishRequest twice = Request();
  twice.targets.push_back(twice.targets[0]);
  EXPECT_EQ(IdOf(Publish(twice).status), "DT001");
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

TEST_F(PublisherTest, ADryRunChecksEverythingAndWritesNothing) {
  const std::string before = files_.Tree();
  PublishRequest request = Request();
  request.options.dry_run = true;
  request.options.release_version = "";
  const PublishReport report = Publish(request);
  ASSERT_OK(report.status);
  EXPECT_EQ(report.targets[0].outcome, PublishOutcome::kPlanned);
  EXPECT_EQ(files_.Tree(), before);
  TestProject::Write(*project_.dist, "model-1.0.0.tar.gz", "x");
  EXPECT_EQ(IdOf(Publish(request).status), "DT007");
}

// D16
TEST_F(PublisherTest, ASecretAnywhereStopsBeforeTheFirstByte) {
  PublishRequest request = Request();
  request.options.secrets = {"stores/west"};  // stands in a location
  EXPECT_EQ(IdOf(Publish(request).status), "DT019");
  request.options.secrets = {"./src"};  // stands in the manifest
  EXPECT_EQ(IdOf(Publish(request).status), "DT019");
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
  EXPECT_EQ(Record(), "");
}

TEST_F(PublisherTest, ARecordThatCannotBeReadIsNotOverwritten) {
  TestProject::Write(*project_.records, "model-1.0.0.publish.json", "{ not JSON");
  EXPECT_EQ(IdOf(Publish(Request()).status), "DT007");
  EXPECT_EQ(Record(), "{ not JSON");
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
}

// D108
TEST_F(PublisherTest, CancellationTakesBackWhatWasDone) {
  base::CancelSource source;
  FaultyRepository& west = MakeFaulty(1);
  west.before_put = [&](absl::string_view key) {
    if (absl::EndsWith(key, ".pieces")) {
      source.Cancel({base::CancelReason::Kind::kInterrupt, "SIGINT", absl::ZeroDuration()});
    }
  };
  PublishRequest request = Request();
  request.cancel = source.token();
  const PublishReport report = Publish(request);
  EXPECT_EQ(IdOf(report.status), "DT026");
  EXPECT_EQ(ExitCodeOf(report.status), 130);
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
  EXPECT_THAT(KeysOf(*project_.stores[1]), IsEmpty());
}

// D102
TEST_F(PublisherTest, WritesTheReleaseLastInTheProjectAndTheTargets) {
  project_.Pack({"config", "2.0.0"}, "config bytes");
  PublishRequest request = Request({{"config", "2.0.0"}, kModel});
  request.options.release_version = "2024.01.20";
  request.options.release_name = "winter";
  const PublishReport report = Publish(request);
  ASSERT_OK(report.status);
  EXPECT_EQ(report.release, "2024.01.20");
  const auto text = base::ReadFile(*project_.releases, "2024.01.20.release.json", kLimit);
  ASSERT_OK(text);
  const absl::StatusOr<Release> release = ParseRelease(*text);
  ASSERT_OK(release);
  EXPECT_EQ(release->name, "winter");
  EXPECT_EQ(release->components[1].manifest, "deployment/manifests/model-1.0.0.manifest.json");
  EXPECT_EQ(release->components[1].sha256, HexOf("model bytes"));
  EXPECT_EQ(release->total_size_bytes, 23u);
  for (auto& store : project_.stores) {
    EXPECT_EQ(*GetText(*store, "releases/2024.01.20.release.json", kLimit), *text);
  }
  // Again: the same release, nothing changes.
  const std::string before = files_.Tree();
  clock_.Advance(absl::Hours(3));
  ASSERT_OK(Publish(request).status);
  EXPECT_EQ(files_.Tree(), before);
  // The same name for something else.
  PublishRequest other = Request();
  other.options.release_version = "2024.01.20";
  EXPECT_EQ(IdOf(Publish(other).status), "DT012");
}

// D102
TEST_F(PublisherTest, ReleaseVersionsAreCountedUpThroughTheDay) {
  PublishRequest request = Request();
  request.options.release_version = "";
  EXPECT_EQ(Publish(request).release, "2024.01.20.1");
  EXPECT_EQ(Publish(request).release, "2024.01.20.2");
  ASSERT_OK(PutText(*project_.stores[1], "releases/2024.01.20.3.release.json", "{}", If::kAbsent));
  EXPECT_EQ(Publish(request).release, "2024.01.20.4");
}

// D102
TEST(ReleaseVersion, IsADateOrSemVerOrFreeTextWithAWarning) {
  for (const char* version : {"2024.01.20", "2024.02.29", "2024.01.20.7", "1.0.0", "1.0.0-rc.1"}) {
    const auto checked = CheckReleaseVersion(version);
    ASSERT_OK(checked) << version;
    EXPECT_FALSE(checked->has_value()) << version;
  }
  for (const char* version : {"winter", "2024-01", "v1"}) {
    const auto checked = CheckReleaseVersion(version);
    ASSERT_OK(checked) << version;
    EXPECT_THAT(checked->value_or(""), HasSubstr("neither a date")) << version;
  }
  for (const char* version : {"2023.02.29", "2024.13.01", "2024.00.10", "2024.01.32", "", "../x",
                              "a/b", "current", "a b", "2023.02.29.1"}) {
    EXPECT_EQ(IdOf(CheckReleaseVersion(version).status()), "DT003") << version;
  }
}

TEST_F(PublisherTest, TwoVersionsOfATypeMakeNoRelease) {
  project_.Pack({"model", "1.1.0"}, "more");
  PublishRequest request = Request({kModel, {"model", "1.1.0"}});
  request.options.release_version = "1.0.0";
  EXPECT_EQ(IdOf(Publish(request).status), "DT001");
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
}

TEST_F(PublisherTest, ProgressReachesTheTotalInEveryTarget) {
  std::map<std::string, uint64_t> last;
  uint64_t total = 0;
  PublishRequest request = Request();
  request.progress = [&](const PublishProgress& progress) {
    EXPECT_GE(progress.bytes_done, last[progress.target]);
    last[progress.target] = progress.bytes_done;
    total = progress.bytes_total;
  };
  for (int round = 1; round <= 2; ++round) {  // in the second all is there already
    last.clear();
    ASSERT_OK(Publish(request).status);
    EXPECT_GT(total, 0u);
    EXPECT_EQ(last["east"], total);
    EXPECT_EQ(last["west"], total);
  }
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

TEST_F(PublisherTest, AnotherPublishersLockIsWaitedForAndThenNamed) {
  auto lock = project_.records->Open(".lock", {.read = true, .write = true, .create = true});
  ASSERT_OK(lock);
  ASSERT_OK((*lock)->TryLock());
  PublishRequest request = Request();
  request.options.lock_wait = absl::ZeroDuration();
  const PublishReport report = Publish(request);
  EXPECT_EQ(IdOf(report.status), "DT021");
  EXPECT_EQ(ExitCodeOf(report.status), 11);
  EXPECT_THAT(KeysOf(*project_.stores[0]), IsEmpty());
}

}  // namespace
}  // namespace slipway::deploy
