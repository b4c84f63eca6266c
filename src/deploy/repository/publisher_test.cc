#include "deploy/repository/publisher.h"

#include <map>
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

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
