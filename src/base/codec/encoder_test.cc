#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/codec/codec.h"
#include "base/codec/format.h"
#include "base/codec/test_corpus.h"
#include "base/codec/test_streams.h"
#include "base/os/pool.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::codec {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

constexpr EncoderOptions kGzip = {.codec = Codec::kGzip, .level = 1};
constexpr EncoderOptions kZstd = {.codec = Codec::kZstd, .level = 1};

size_t BlockBytes(Codec codec) {
  return codec == Codec::kGzip ? kMemberInputBytes : kFrameInputBytes;
}

TEST(Encoder, BytesDoNotDependOnThreads) {  // D140
  for (const EncoderOptions& options :
       {kGzip, EncoderOptions{.codec = Codec::kGzip, .level = 6}, kZstd}) {
    const Bytes data = options.codec == Codec::kGzip ? Mixed(2 * kMemberInputBytes + 300'000)
                                                     : Repeating(2 * kFrameInputBytes + 1);
    sim::Pool first(1);
    ASSERT_OK_AND_ASSIGN(const Bytes expected, Encode(data, options, first));
    for (uint64_t seed = 2; seed < 4; ++seed) {
      sim::Pool pool(seed, /*queue_max=*/seed == 2 ? 1024 : 1, /*threads=*/1);
      EXPECT_TRUE(Encode(data, options, pool, /*step=*/77'777).value() == expected);
    }
    for (const int threads : {1, 2, 16}) {
      os::ThreadPool pool("codec", threads, 1024);
      EXPECT_TRUE(Encode(data, options, pool, /*step=*/SIZE_MAX).value() == expected) << threads;
    }
  }
}

TEST(Encoder, BlocksBeginWhereFramesSays) {
  for (const EncoderOptions& options : {kGzip, kZstd, EncoderOptions{.codec = Codec::kNone}}) {
    const size_t block = BlockBytes(options.codec);
    for (const size_t size : {size_t{0}, size_t{1}, block - 1, block, block + 1}) {
      const Bytes data = Repeating(size);
      os::ThreadPool pool("codec", 2, 1024);
      Frames frames;
      ASSERT_OK_AND_ASSIGN(const Bytes stream, Encode(data, options, pool, 1 << 20, &frames));
      const size_t count =
          options.codec == Codec::kNone ? 1 : std::max<size_t>(1, (size + block - 1) / block);
      ASSERT_EQ(frames.size(), count);
      for (size_t i = 0; i < count; ++i) {
        EXPECT_EQ(frames[i].second, i * block);
        EXPECT_THAT(
            Decode(BytesView(stream).subspan(frames[i].first), {.codec = options.codec}, pool),
            IsOkAndHolds(Bytes(data.begin() + static_cast<ptrdiff_t>(i * block), data.end())));
      }
    }
  }
}

TEST(Encoder, WritesTheExamplesOfTheFormat) {  // docs/formats/compression.md
  sim::Pool pool(1);
  const BytesView data = AsBytes("slipway\n");
  EXPECT_THAT(Encode(data, {.codec = Codec::kGzip, .level = 6}, pool),
              IsOkAndHolds(FromHex("1f8b0804000000"
                                   "0000ff0c00445408002d00000008000000"
                                   "010800f7ff736c69707761790a45c3177c08000000")
                               .value()));
  EXPECT_THAT(Encode(data, {.codec = Codec::kZstd, .level = 3}, pool),
              IsOkAndHolds(FromHex("28b52ffd2408410000736c69707761790ade3a415b"
                                   "5e2a4d18150000001500000008000000de3a415b0100000080b1ea928f")
                               .value()));
}

TEST(GzipEncoder, MembersTellTheirSizes) {  // D140
  sim::Pool pool(1);
  const Bytes data = Mixed(2 * kMemberInputBytes + 5);
  ASSERT_OK_AND_ASSIGN(const Bytes stream, Encode(data, kGzip, pool));
  size_t at = 0, input_bytes = 0, members = 0;
  while (at < stream.size()) {
    const Bytes fixed(stream.begin() + static_cast<ptrdiff_t>(at),
                      stream.begin() + static_cast<ptrdiff_t>(at) + 16);
    EXPECT_EQ(fixed, (Bytes{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 12, 0, 'D', 'T', 8, 0}));
    const auto member_bytes = LoadLittle<uint32_t>(&stream[at + 16]);
    const auto bytes = LoadLittle<uint32_t>(&stream[at + 20]);
    EXPECT_EQ(bytes, LoadLittle<uint32_t>(&stream[at + member_bytes - 4])) << "ISIZE";
    at += member_bytes;
    input_bytes += bytes;
    ++members;
  }
  EXPECT_EQ(at, stream.size());
  EXPECT_EQ(input_bytes, data.size());
  EXPECT_EQ(members, 3u);
}

TEST(GzipEncoder, CompressAllTakesTheLevelEverywhere) {  // D40
  sim::Pool pool(1);
  const Bytes data = Weights32(kMemberInputBytes);
  EncoderOptions options = {.codec = Codec::kGzip, .level = 6};
  ASSERT_OK_AND_ASSIGN(const Bytes chosen, Encode(data, options, pool));
  options.compress_all = true;
  ASSERT_OK_AND_ASSIGN(const Bytes all, Encode(data, options, pool));
  EXPECT_TRUE(chosen != all);
  EXPECT_THAT(Decode(all, {.codec = Codec::kGzip}, pool), IsOkAndHolds(data));
}

TEST(ZstdEncoder, EndsWithASeekTable) {  // D140
  sim::Pool pool(1);
  const Bytes data = Repeating(kFrameInputBytes + 1000);
  Frames frames;
  ASSERT_OK_AND_ASSIGN(const Bytes stream, Encode(data, kZstd, pool, 1 << 20, &frames));
  const uint8_t* const table = &stream[stream.size() - 8 - 2 * 12 - 9];
  EXPECT_EQ(LoadLittle<uint32_t>(table), 0x184d2a5eu);
  EXPECT_EQ(LoadLittle<uint32_t>(table + 4), 2u * 12 + 9);
  EXPECT_EQ(LoadLittle<uint32_t>(table + 8), frames[1].first);
  EXPECT_EQ(LoadLittle<uint32_t>(table + 12), kFrameInputBytes);
  EXPECT_EQ(LoadLittle<uint32_t>(table + 16), LoadLittle<uint32_t>(&stream[frames[1].first - 4]));
  EXPECT_EQ(LoadLittle<uint32_t>(table + 20),
            static_cast<uint64_t>(table - stream.data()) - frames[1].first);
  EXPECT_EQ(LoadLittle<uint32_t>(table + 24), 1000u);
  EXPECT_EQ(LoadLittle<uint32_t>(table + 32), 2u);
  EXPECT_EQ(table[36], 0x80);
  EXPECT_EQ(LoadLittle<uint32_t>(table + 37), 0x8f92eab1u);
}

TEST(Encoder, ErrorOfTheSinkComesBackAndStays) {
  for (const EncoderOptions& options : {kGzip, kZstd, EncoderOptions{.codec = Codec::kNone}}) {
    for (int fail_at = 1; fail_at <= 3; ++fail_at) {
      os::ThreadPool pool("codec", 2, 1024);
      int calls = 0;
      ASSERT_OK_AND_ASSIGN(const auto encoder, MakeEncoder(options, pool, [&](BytesView) {
                             return ++calls >= fail_at ? absl::ResourceExhaustedError("disk full")
                                                       : absl::OkStatus();
                           }));
      const Bytes data(BlockBytes(options.codec), 1);
      absl::Status status;
      for (int i = 0; i < 12 && status.ok(); ++i) status = encoder->Append(data);
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("disk full")));
      EXPECT_THAT(encoder->Append(data), StatusIs(absl::StatusCode::kResourceExhausted));
      EXPECT_THAT(encoder->Finish(), StatusIs(absl::StatusCode::kResourceExhausted));
      EXPECT_EQ(calls, fail_at) << "the sink is left alone after an error";
    }
  }
}

TEST(Encoder, HoldsABoundedNumberOfBlocks) {
  sim::Pool pool(1, /*queue_max=*/1024, /*threads=*/2);
  size_t written = 0, appended = 0;
  ASSERT_OK_AND_ASSIGN(const auto encoder, MakeEncoder(kGzip, pool, [&](BytesView) {
                         ++written;
                         return absl::OkStatus();
                       }));
  const Bytes data = RandomBytes(kMemberInputBytes);
  for (; appended < 20; ++appended) {
    EXPECT_LE(appended - written, 2u + 4u);
    EXPECT_LE(pool.waiting(), 2u + 3u);
    ASSERT_OK(encoder->Append(data));
  }
  ASSERT_OK(encoder->Finish());
  EXPECT_EQ(written, appended);
}

TEST(Encoder, DroppingItCancels) {
  sim::Pool pool(1);
  bool sunk = false;
  ASSERT_OK_AND_ASSIGN(auto encoder, MakeEncoder(kGzip, pool, [&](BytesView) {
                         sunk = true;
                         return absl::OkStatus();
                       }));
  ASSERT_OK(encoder->Append(Bytes(3 * kMemberInputBytes)));
  encoder.reset();
  pool.RunAll();
  EXPECT_FALSE(sunk);
  EXPECT_EQ(pool.waiting(), 0u);
}

}  // namespace
}  // namespace slipway::base::codec
