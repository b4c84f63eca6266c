#include "base/codec/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/codec/test_corpus.h"
#include "base/codec/test_streams.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::codec {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

TEST(Codec, NamesAreReadBack) {  // D10
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kZstd}) {
    EXPECT_THAT(ParseCodec(CodecName(codec)), IsOkAndHolds(codec));
  }
  EXPECT_EQ(CodecSuffix(Codec::kNone), "");
  EXPECT_EQ(CodecSuffix(Codec::kGzip), ".gz");
  EXPECT_EQ(CodecSuffix(Codec::kZstd), ".zst");
  EXPECT_THAT(ParseCodec("rar\n"), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("rar\\x0a\" is none of none, gzip, zstd")));
}

TEST(Codec, LevelOutOfRangeNamesTheRange) {  // D10
  sim::Pool pool(1);
  const auto make = [&pool](Codec codec, int level) {
    return MakeEncoder({.codec = codec, .level = level}, pool,
                       [](BytesView) { return absl::OkStatus(); })
        .status();
  };
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    const auto [lowest, highest] = CodecLevels(codec);
    EXPECT_OK(make(codec, lowest));
    EXPECT_OK(make(codec, highest));
    EXPECT_OK(make(codec, CodecLevelDefault(codec)));
    const std::string range = absl::StrCat("range ", lowest, " to ", highest);
    for (const int level : {lowest - 1, highest + 1, -1000, 1000}) {
      EXPECT_THAT(make(codec, level),
                  StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(range)));
    }
  }
  EXPECT_OK(make(Codec::kNone, 77));
  EXPECT_THAT(CompressZstd({}, 20), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Zstd, OneBufferComesBackWithinItsLimit) {
  for (const Bytes& data : {Bytes{}, Bytes{1}, Text(300'000), RandomBytes(9'000'000)}) {
    ASSERT_OK_AND_ASSIGN(const Bytes packed, CompressZstd(data, 3));
    EXPECT_THAT(DecompressZstd(packed, data.size()), IsOkAndHolds(data));
    EXPECT_THAT(DecompressZstd(packed, UINT64_MAX), IsOkAndHolds(data));
    if (data.empty()) continue;
    EXPECT_THAT(DecompressZstd(packed, data.size() - 1),
                StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_THAT(DecompressZstd(BytesView(packed).first(packed.size() - 1), data.size()),
                StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST(Zstd, ManyFramesInOneBufferAreOneContent) {
  ASSERT_OK_AND_ASSIGN(const Bytes a, CompressZstd(Text(1000), 1));
  ASSERT_OK_AND_ASSIGN(const Bytes b, CompressZstd(RandomBytes(500), 19));
  EXPECT_THAT(DecompressZstd(Concat({a, b}), 1500),
              IsOkAndHolds(Concat({Text(1000), RandomBytes(500)})));
  EXPECT_THAT(DecompressZstd(Concat({a, Bytes{0}}), 1500), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace slipway::base::codec
