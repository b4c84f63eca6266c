#include "eraft/store/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;

Manifest ExampleManifest() {
  Manifest manifest = {.group = 7,
                       .index = 300,
                       .term = 2,
                       .membership = "m",
                       .engine = EngineKind::kLevelDb,
                       .logical_digest = std::string(32, 'd')};
  manifest.files.push_back({.name = "000005.ldb", .size_bytes = 5});
  manifest.files.push_back({.name = "CURRENT", .size_bytes = 0});
  return manifest;
}

// docs/formats/eraft-snapshot.md
TEST(Manifest, TheDocumentedExampleIsWhatIsWritten) {
  Manifest manifest = ExampleManifest();
  manifest.files.pop_back();
  EXPECT_EQ(absl::BytesToHexString(EncodeManifest(manifest)).substr(0, 40),
            "0801"
            "1007"
            "18ac02"
            "2002"
            "2a016d"
            "3003"
            "3a30"
            "0a0a3030");
}

// E406, E407
TEST(Manifest, EachFlippedBitAndEachCutIsFound) {
  const Manifest manifest = ExampleManifest();
  const std::string good = EncodeManifest(manifest);
  EXPECT_THAT(DecodeManifest(good), IsOkAndHolds(manifest));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_THAT(DecodeManifest(bad), StatusIs(absl::StatusCode::kDataLoss)) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(DecodeManifest(good.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST(Manifest, ANewerLevelIsRefusedByName) {
  std::string bytes = EncodeManifest(ExampleManifest());
  bytes.resize(bytes.size() - sizeof(uint32_t));
  bytes[1] = 2;  // as documented
  uint8_t crc[sizeof(uint32_t)];
  base::StoreLittle(crc, base::Crc32c(base::AsBytes(bytes)));
  absl::StrAppend(&bytes, base::AsText(crc));
  EXPECT_THAT(DecodeManifest(bytes), StatusIs(absl::StatusCode::kFailedPrecondition,
                                              HasSubstr("level 2 is newer than 1")));
}

TEST(Manifest, NamesThatLeadOutAreRefused) {
  for (const char* name : {"", ".", "..", "../x", "a/b", "/etc/passwd"}) {
    Manifest manifest = ExampleManifest();
    manifest.files = {{.name = name}};
    EXPECT_THAT(DecodeManifest(EncodeManifest(manifest)), StatusIs(absl::StatusCode::kDataLoss))
        << name;
  }
  Manifest twice = ExampleManifest();
  twice.files[1].name = twice.files[0].name;
  EXPECT_THAT(DecodeManifest(EncodeManifest(twice)), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace slipway::eraft
