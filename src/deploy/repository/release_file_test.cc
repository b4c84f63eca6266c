// The release that a publish writes at its end.
#include <string>

#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/test_publisher.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace slipway::deploy
