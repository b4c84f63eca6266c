#include "deploy/repository/resolver.h"

#include <memory>
#include <string>
#include <vector>

#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/test_project.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kLimit = 1 << 20;

std::string IdOf(const absl::Status& status) { return base::GetErrorInfo(status).code; }

// Cannot be reached.
class DeadRepository : public Repository {
 public:
  absl::StatusOr<Object> Put(absl::string_view, base::ByteSource&, uint64_t, If) override {
    return Dead();
  }
  absl::Status Get(absl::string_view, Range, Sink) override { return Dead(); }
  absl::StatusOr<Object> Stat(absl::string_view) override { return Dead(); }
  absl::StatusOr<Page> List(absl::string_view, absl::string_view) override { return Dead(); }
  absl::Status Remove(absl::string_view) override { return Dead(); }
  Location LocationOf(const Component&, absl::string_view) override { return {}; }

 private:
  static absl::Status Dead() { return absl::UnavailableError("connection refused"); }
};

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() {
    project_.AddStore("far");
    project_.AddStore("near");
  }

  void PublishTo(size_t target, const Component& component, const std::string& content) {
    project_.Pack(component, content);
    PublishRequest request = project_.Request({component}, clock_, pool_);
    request.targets = {project_.targets[target]};
    ASSERT_OK(Publish(request).status);
  }

  Resolver Both() {
    return Resolver({{"far", 200, *project_.stores[0]}, {"near", 100, *project_.stores[1]}});
  }

  base::sim::Files files_{/*seed=*/1};
  base::sim::Clock clock_;
  base::sim::Pool pool_{/*seed=*/1};
  TestProject project_{files_};
  DeadRepository dead_;
};

TEST_F(ResolverTest, FindsAVersionAndItsSourcesByPriority) {
  PublishTo(0, {"model", "1.0.0"}, "a");
  PublishTo(1, {"model", "1.0.0"}, "a");
  const Resolver resolver = Both();
  const auto resolved = resolver.Resolve({"model", "1.0.0"});
  ASSERT_OK(resolved);
  EXPECT_EQ(resolved->manifest.package.sha256, HexOf("a"));
  ASSERT_EQ(resolved->sources.size(), 2u);
  EXPECT_EQ(resolver.sources()[resolved->sources[0]].name, "near");
  EXPECT_THAT(resolved->warnings, IsEmpty());
}

TEST_F(ResolverTest, ListsEachVersionOnceInOrder) {
  for (const char* version : {"1.10.0", "1.2.0", "2.0.0-rc.1"})
    PublishTo(0, {"model", version}, "a");
  PublishTo(1, {"model", "1.2.0"}, "a");
  PublishTo(1, {"model-x", "9.0.0"}, "a");
  // Only a manifest in its place makes a version.
  for (const char* key : {"model/3.0.0/model-3.0.0.tar.gz", "model/4.0.0/other.manifest.json",
                          "model/4.0.0/x/model-4.0.0.manifest.json",
                          "model/current/model-current.manifest.json", "model/index.json"}) {
    ASSERT_OK(PutText(*project_.stores[0], key, "{}", If::kAny));
  }
  const auto published = Both().List("model");
  ASSERT_OK(published);
  EXPECT_THAT(published->versions, ElementsAre("1.2.0", "1.10.0", "2.0.0-rc.1"));
}

// D103
TEST_F(ResolverTest, LatestIsTheHighestThatIsNoPrerelease) {
  for (const char* version : {"1.2.0", "1.10.0", "2.0.0-rc.1"})
    PublishTo(0, {"model", version}, "a");
  EXPECT_EQ(Both().Resolve({"model", "latest"})->component.version, "1.10.0");
  EXPECT_EQ(Both().Resolve({"model", "latest"}, /*prereleases=*/true)->component.version,
            "2.0.0-rc.1");
  PublishTo(0, {"data", "0.1.0-a"}, "a");
  const absl::Status only = Both().Resolve({"data", "latest"}).status();
  EXPECT_EQ(IdOf(only), "DT010");
  EXPECT_THAT(base::GetErrorInfo(only).hint, HasSubstr("--pre"));
}

TEST_F(ResolverTest, SaysWhatIsPublishedInstead) {
  for (const char* version : {"1.0.0", "1.1.0"}) PublishTo(0, {"model", version}, "a");
  const absl::Status status = Both().Resolve({"model", "1.2.0"}).status();
  EXPECT_EQ(IdOf(status), "DT010");
  EXPECT_EQ(ExitCodeOf(status), 6);
  EXPECT_THAT(std::string(status.message()), HasSubstr("published are 1.0.0, 1.1.0"));
  EXPECT_EQ(IdOf(Both().Resolve({"config", "1.2.0"}).status()), "DT010");
  EXPECT_EQ(IdOf(Both().Resolve({"config", "latest"}).status()), "DT010");
  EXPECT_EQ(IdOf(Both().Resolve({"config", std::nullopt}).status()), "DT009");
  EXPECT_EQ(IdOf(Both().Resolve({"../x", "1.0.0"}).status()), "DT013");
  EXPECT_EQ(IdOf(Both().Resolve({"model", "../x"}).status()), "DT003");
}

TEST_F(ResolverTest, ASourceThatCannotBeAskedIsPassedOverWithAWarning) {
  PublishTo(0, {"model", "1.0.0"}, "a");
  const Resolver resolver({{"dead", 1, dead_}, {"far", 2, *project_.stores[0]}});
  const auto resolved = resolver.Resolve({"model", "1.0.0"});
  ASSERT_OK(resolved);
  EXPECT_THAT(resolved->warnings, ElementsAre(HasSubstr("source dead cannot be asked")));
  EXPECT_THAT(resolver.Resolve({"model", "latest"})->warnings, ElementsAre(HasSubstr("dead")));
  // Absent elsewhere proves nothing while one is silent.
  EXPECT_EQ(IdOf(resolver.Resolve({"model", "9.0.0"}).status()), "DT004");
  EXPECT_EQ(IdOf(resolver.Resolve({"other", "latest"}).status()), "DT004");
  EXPECT_EQ(IdOf(resolver.FetchRelease("2024.01.20").status()), "DT004");
  EXPECT_EQ(IdOf(Resolver({{"dead", 1, dead_}}).List("model").status()), "DT004");
  EXPECT_EQ(IdOf(Resolver({}).Resolve({"model", "1.0.0"}).status()), "DT004");
}

// D18: one version is one content; a source that holds another is no stand-in.
TEST_F(ResolverTest, ASourceWithOtherContentIsNotUsed) {
  PublishTo(0, {"model", "1.0.0"}, "other");
  PublishTo(1, {"model", "1.0.0"}, "a");
  const auto resolved = Both().Resolve({"model", "1.0.0"});
  ASSERT_OK(resolved);
  EXPECT_EQ(resolved->manifest.package.sha256, HexOf("a"));
  EXPECT_EQ(resolved->sources.size(), 1u);
  EXPECT_THAT(resolved->warnings, ElementsAre(HasSubstr("source far holds other content")));
}

TEST_F(ResolverTest, AWrongManifestOfTheBestSourceIsAnError) {
  PublishTo(0, {"model", "1.0.0"}, "a");
  const char* key = "model/1.0.0/model-1.0.0.manifest.json";
  ASSERT_OK(PutText(*project_.stores[1], key, "{}", If::kAny));
  EXPECT_EQ(IdOf(Both().Resolve({"model", "1.0.0"}).status()), "DT007");
  Manifest foreign = project_.Pack({"model", "6.6.6"}, "a");
  ASSERT_OK(PutText(*project_.stores[1], key, WriteManifest(foreign), If::kAny));
  const absl::Status status = Both().Resolve({"model", "1.0.0"}).status();
  EXPECT_EQ(IdOf(status), "DT007");
  EXPECT_THAT(std::string(status.message()), HasSubstr("describes model:6.6.6"));
}

TEST_F(ResolverTest, SideFilesAreCheckedAndTakenFromTheNextSource) {
  PublishTo(0, {"model", "1.0.0"}, "a");
  PublishTo(1, {"model", "1.0.0"}, "a");
  const Resolver resolver = Both();
  const auto resolved = resolver.Resolve({"model", "1.0.0"});
  ASSERT_OK(resolved);
  const SideFile index = *resolved->manifest.package.index;
  ASSERT_OK(PutText(*project_.stores[1], "model/1.0.0/model-1.0.0.files.zst", "bad", If::kAny));
  EXPECT_THAT(resolver.FetchSideFile(*resolved, index, kLimit), IsOkAndHolds("index of a"));
  ASSERT_OK(PutText(*project_.stores[0], "model/1.0.0/model-1.0.0.files.zst", "bad", If::kAny));
  EXPECT_EQ(IdOf(resolver.FetchSideFile(*resolved, index, kLimit).status()), "DT007");
  ASSERT_OK(project_.stores[0]->Remove("model/1.0.0/model-1.0.0.files.zst"));
  EXPECT_EQ(IdOf(resolver.FetchSideFile(*resolved, index, kLimit).status()), "DT010");
}

TEST_F(ResolverTest, FindsReleases) {
  project_.Pack({"model", "1.0.0"}, "a");
  PublishRequest request = project_.Request({{"model", "1.0.0"}}, clock_, pool_);
  request.targets = {project_.targets[0]};
  request.options.release_version = "2024.01.20";
  ASSERT_OK(Publish(request).status);
  const auto release = Both().FetchRelease("2024.01.20");
  ASSERT_OK(release);
  EXPECT_EQ(release->components[0].component.ToString(), "model:1.0.0");
  EXPECT_EQ(IdOf(Both().FetchRelease("2024.01.21").status()), "DT011");
  EXPECT_EQ(IdOf(Both().FetchRelease("../x").status()), "DT003");
}

}  // namespace
}  // namespace slipway::deploy
