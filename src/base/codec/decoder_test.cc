#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "absl/strings/str_cat.h"
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

constexpr DecoderOptions kGzip = {.codec = Codec::kGzip};
constexpr DecoderOptions kZstd = {.codec = Codec::kZstd};

Bytes Own(Codec codec, BytesView data, int level = 1) {
  sim::Pool pool(1);
  return Encode(data, {.codec = codec, .level = level}, pool).value();
}

// One member as zlib writes it.
Bytes ForeignGzip(BytesView data, const char* name = nullptr, bool header_crc = false) {
  Bytes out(data.size() + data.size() / 500 + 1000);
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  gz_header header = {};
  header.name = reinterpret_cast<Bytef*>(const_cast<char*>(name));
  header.comment = header.name;
  header.hcrc = header_crc ? 1 : 0;
  Bytes extra = {'X', 'Y', 2, 0, 1, 2};
  header.extra = extra.data();
  header.extra_len = name == nullptr ? 0 : static_cast<uInt>(extra.size());
  deflateSetHeader(&stream, &header);
  stream.next_in = const_cast<Bytef*>(data.data());
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// One frame without content size or checksum, as a pipe through zstd gives.
Bytes ForeignZstd(BytesView data, int window_log = 0) {
  Bytes out(ZSTD_compressBound(data.size()) + 100);
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  if (window_log != 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_inBuffer in = {data.data(), data.size(), 0};
  ZSTD_outBuffer to = {out.data(), out.size(), 0};
  ZSTD_compressStream2(context, &to, &in, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

Bytes Skippable(BytesView content, uint8_t kind = 0) {
  Bytes head(8);
  StoreLittle<uint32_t>(&head[0], kSkippableMagic + kind);
  StoreLittle<uint32_t>(&head[4], static_cast<uint32_t>(content.size()));
  return Concat({head, content});
}

TEST(Decoder, ReadsWhatTheEncoderWroteAtEveryLevel) {  // D10
  const Bytes data = Mixed(1'500'000);
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kZstd}) {
    const auto [lowest, highest] = CodecLevels(codec);
    for (const int level : {lowest, CodecLevelDefault(codec), highest}) {
      os::ThreadPool pool("codec", 2, 1024);
      const Bytes stream = Own(codec, data, level);
      EXPECT_THAT(Decode(stream, {.codec = codec}, pool), IsOkAndHolds(data));
      EXPECT_LT(stream.size(), data.size() + (codec == Codec::kNone ? 1 : 0));
    }
  }
}

TEST(Decoder, ReadsEverySizeNearABlockInEverySimulatedOrder) {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    const size_t block = codec == Codec::kGzip ? kMemberInputBytes : kFrameInputBytes;
    for (const size_t size : {size_t{0}, size_t{1}, block - 1, block, block + 1, 2 * block + 7}) {
      const Bytes data = Repeating(size);
      const Bytes stream = Own(codec, data);
      for (uint64_t seed = 1; seed < 3; ++seed) {
        sim::Pool pool(seed, 1024, static_cast<int>(seed));
        EXPECT_TRUE(Decode(stream, {.codec = codec}, pool).value() == data) << size;
      }
    }
  }
}

struct Case {
  const char* name;
  Codec codec;
  Bytes stream, content;
};

std::vector<Case> Streams() {
  const Bytes text = Text(900), large = Mixed(2'300'000), small = {'x', 'y'};
  const Bytes none;
  return {
      {"gzip own", Codec::kGzip, Own(Codec::kGzip, text), text},
      {"gzip own empty", Codec::kGzip, Own(Codec::kGzip, none), none},
      {"gzip foreign", Codec::kGzip, ForeignGzip(text), text},
      {"gzip foreign empty", Codec::kGzip, ForeignGzip(none), none},
      {"gzip foreign large", Codec::kGzip, ForeignGzip(large), large},
      {"gzip foreign with fields", Codec::kGzip, ForeignGzip(text, "a name", true), text},
      {"gzip foreign, many members", Codec::kGzip,
       Concat({ForeignGzip(small), ForeignGzip(none), ForeignGzip(large, "n"), ForeignGzip(small)}),
       Concat({small, large, small})},
      {"gzip own and foreign in turn", Codec::kGzip,
       Concat({Own(Codec::kGzip, large), ForeignGzip(small), Own(Codec::kGzip, none),
               Own(Codec::kGzip, text), ForeignGzip(text), ForeignGzip(none)}),
       Concat({large, small, text, text})},
      {"zstd own", Codec::kZstd, Own(Codec::kZstd, text), text},
      {"zstd own empty", Codec::kZstd, Own(Codec::kZstd, none), none},
      {"zstd own, two streams", Codec::kZstd,
       Concat({Own(Codec::kZstd, text), Own(Codec::kZstd, small)}), Concat({text, small})},
      {"zstd foreign", Codec::kZstd, ForeignZstd(text), text},
      {"zstd foreign empty", Codec::kZstd, ForeignZstd(none), none},
      {"zstd foreign large", Codec::kZstd, ForeignZstd(large), large},
      {"zstd foreign and own in turn", Codec::kZstd,
       Concat({ForeignZstd(small), Own(Codec::kZstd, large), ForeignZstd(large), ForeignZstd(none),
               Own(Codec::kZstd, small)}),
       Concat({small, large, large, small})},
      {"zstd skippable frames", Codec::kZstd,
       Concat({Skippable(RandomBytes(700'000), 15), Own(Codec::kZstd, text), Skippable(none),
               ForeignZstd(text), Skippable(small)}),
       Concat({text, text})},
      {"zstd only a skippable frame", Codec::kZstd, Skippable(small, 3), none},
  };
}

TEST(Decoder, ReadsOwnForeignAndJoinedStreamsInAnySteps) {
  for (const Case& c : Streams()) {
    sim::Pool sim_pool(1);
    os::ThreadPool os_pool("codec", 2, 1024);
    EXPECT_THAT(Decode(c.stream, {.codec = c.codec}, sim_pool), IsOkAndHolds(c.content)) << c.name;
    EXPECT_THAT(Decode(c.stream, {.codec = c.codec}, os_pool, SIZE_MAX), IsOkAndHolds(c.content))
        << c.name;
    if (c.stream.size() > 100'000) continue;
    EXPECT_THAT(Decode(c.stream, {.codec = c.codec}, os_pool, 1), IsOkAndHolds(c.content))
        << c.name;
    StepSource source(c.stream, 7);
    ASSERT_OK_AND_ASSIGN(const auto decoder, MakeDecoder({.codec = c.codec}, source, sim_pool));
    EXPECT_THAT(DecodeAll(*decoder, 1), IsOkAndHolds(c.content)) << c.name;
  }
}

TEST(Decoder, AcceptsOutputUpToTheLimitExactly) {  // D192
  for (const Case& c : Streams()) {
    sim::Pool pool(1);
    DecoderOptions options = {.codec = c.codec, .output_bytes_max = c.content.size()};
    EXPECT_THAT(Decode(c.stream, options, pool), IsOkAndHolds(c.content)) << c.name;
    for (const uint64_t less : {1, 1'000'000}) {
      if (c.content.size() < less) continue;
      options.output_bytes_max = c.content.size() - less;
      EXPECT_THAT(Decode(c.stream, options, pool), StatusIs(absl::StatusCode::kResourceExhausted))
          << c.name << " less " << less;
    }
  }
  sim::Pool pool(1);
  const Bytes plain(100);
  EXPECT_OK(Decode(plain, {.codec = Codec::kNone, .output_bytes_max = 100}, pool));
  EXPECT_THAT(Decode(plain, {.codec = Codec::kNone, .output_bytes_max = 99}, pool),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(Decoder, BombsStopAtTheLimit) {  // D192
  const Bytes zeros(20'000'000);
  sim::Pool pool(1);
  const Case bombs[] = {{"gzip own", Codec::kGzip, Own(Codec::kGzip, zeros), {}},
                        {"gzip foreign", Codec::kGzip, ForeignGzip(zeros), {}},
                        {"zstd own", Codec::kZstd, Own(Codec::kZstd, zeros), {}},
                        {"zstd foreign", Codec::kZstd, ForeignZstd(zeros), {}}};
  for (const Case& c : bombs) {
    StepSource source(c.stream, 1000);
    ASSERT_OK_AND_ASSIGN(
        const auto decoder,
        MakeDecoder({.codec = c.codec, .output_bytes_max = 10'000'000}, source, pool));
    Bytes part(1 << 20);
    absl::StatusOr<size_t> read = 0;
    uint64_t total = 0;
    while ((read = decoder->Read(absl::MakeSpan(part))).ok()) total += *read;
    EXPECT_THAT(read, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("10000000")));
    EXPECT_LE(total, 10'000'000u) << c.name;
    EXPECT_THAT(decoder->Read(absl::MakeSpan(part)),
                StatusIs(absl::StatusCode::kResourceExhausted));
  }
}

// Small streams of each kind, for damage byte by byte.
std::vector<Case> SmallStreams() {
  std::vector<Case> small;
  for (Case& c : Streams()) {
    if (c.stream.size() < 10'000) small.push_back(std::move(c));
  }
  const Bytes words = Text(150);
  small.push_back({"gzip small", Codec::kGzip, Own(Codec::kGzip, words), words});
  small.push_back({"gzip small foreign", Codec::kGzip, ForeignGzip(words, "n", true), words});
  small.push_back({"zstd small", Codec::kZstd, Own(Codec::kZstd, words), words});
  return small;
}

TEST(Decoder, EveryTruncationIsDataLossOrALimitOfTheFormat) {
  for (const Case& c : SmallStreams()) {
    sim::Pool pool(1);
    for (size_t size = 0; size < c.stream.size(); ++size) {
      const auto decoded = Decode(BytesView(c.stream).first(size), {.codec = c.codec}, pool);
      if (decoded.ok()) {  // cut between members or frames
        ASSERT_LE(decoded->size(), c.content.size());
        ASSERT_TRUE(std::equal(decoded->begin(), decoded->end(), c.content.begin()));
        ASSERT_GT(size, 0u);
        const auto rest = Decode(BytesView(c.stream).subspan(size), {.codec = c.codec}, pool);
        ASSERT_OK(rest) << c.name << " cut at " << size;
      } else {
        ASSERT_THAT(decoded, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("at byte ")))
            << c.name << " cut at " << size;
      }
    }
  }
}

TEST(Decoder, EveryFlippedBitIsAnErrorOrHarmless) {
  for (const Case& c : SmallStreams()) {
    // Without a checksum in the frame a flip may go unseen: that is the foreign writer's choice.
    const bool checked = std::string(c.name).find("zstd foreign") == std::string::npos &&
                         std::string(c.name).find("skippable") == std::string::npos;
    sim::Pool pool(1);
    Bytes stream = c.stream;
    const size_t stride = stream.size() < 400 ? 1 : 11;
    for (size_t bit = 0; bit < 8 * stream.size(); bit += stride) {
      stream[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      const auto decoded = Decode(stream, {.codec = c.codec, .output_bytes_max = 1 << 20}, pool);
      stream[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      if (decoded.ok()) {
        ASSERT_TRUE(!checked || *decoded == c.content) << c.name << " bit " << bit;
      } else {
        ASSERT_TRUE(decoded.status().code() == absl::StatusCode::kDataLoss ||
                    decoded.status().code() == absl::StatusCode::kResourceExhausted)
            << c.name << " bit " << bit << " " << decoded.status();
      }
    }
  }
}

TEST(Decoder, TrailingBytesAreDataLossWithTheirOffset) {
  for (const Case& c : SmallStreams()) {
    sim::Pool pool(1);
    for (const Bytes& tail : {Bytes{0}, Bytes(600), Bytes{'x'}, Bytes{0x1f}, Bytes{0x28, 0xb5}}) {
      EXPECT_THAT(Decode(Concat({c.stream, tail}), {.codec = c.codec}, pool),
                  StatusIs(absl::StatusCode::kDataLoss,
                           HasSubstr(absl::StrCat("at byte ", c.stream.size()))))
          << c.name;
    }
  }
}

TEST(GzipDecoder, ALyingExtraFieldIsDataLoss) {
  const Bytes data = Text(5000);
  const Bytes stream = Own(Codec::kGzip, data);
  const auto member_bytes = static_cast<uint32_t>(stream.size());
  const auto with = [&](uint32_t member, uint32_t input) {
    Bytes lie = stream;
    StoreLittle<uint32_t>(&lie[16], member);
    StoreLittle<uint32_t>(&lie[20], input);
    sim::Pool pool(1);
    return Decode(lie, kGzip, pool).status();
  };
  EXPECT_OK(with(member_bytes, 5000));
  for (const uint32_t member : {0u, 24u, 31u, 32u, member_bytes - 1, member_bytes + 1, 1u << 20,
                                (1u << 20) + (64u << 10) + 1, UINT32_MAX}) {
    EXPECT_THAT(with(member, 5000), StatusIs(absl::StatusCode::kDataLoss)) << member;
  }
  for (const uint32_t input : {0u, 4999u, 5001u, 1u << 20, (1u << 20) + 1, UINT32_MAX}) {
    EXPECT_THAT(with(member_bytes, input), StatusIs(absl::StatusCode::kDataLoss)) << input;
  }
}

TEST(GzipDecoder, AWrongChecksumOrSizeIsDataLoss) {  // D192
  sim::Pool pool(1);
  const Bytes data(100'000, 'x');
  for (const Bytes& good : {Own(Codec::kGzip, data), ForeignGzip(data)}) {
    for (size_t back = 1; back <= 8; ++back) {
      Bytes bad = good;
      bad[bad.size() - back] ^= 1;
      EXPECT_THAT(Decode(bad, kGzip, pool), StatusIs(absl::StatusCode::kDataLoss)) << back;
    }
  }
}

TEST(GzipDecoder, ALieDoesNotHideDataBehindTheDeflateStream) {
  Bytes stream = Own(Codec::kGzip, Text(500));
  stream.insert(stream.end() - 8, {1, 2, 3});
  StoreLittle<uint32_t>(&stream[16], static_cast<uint32_t>(stream.size()));
  sim::Pool pool(1);
  EXPECT_THAT(Decode(stream, kGzip, pool), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(GzipDecoder, EndlessHeaderIsDataLoss) {
  Bytes stream = {0x1f, 0x8b, 8, kGzipName, 0, 0, 0, 0, 0, 3};
  stream.resize(2'000'000, 'n');
  sim::Pool pool(1);
  StepSource source(stream, 4096);
  ASSERT_OK_AND_ASSIGN(const auto decoder, MakeDecoder(kGzip, source, pool));
  EXPECT_THAT(DecodeAll(*decoder), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("too long")));
  EXPECT_LT(source.taken(), 1'500'000u);
}

TEST(ZstdDecoder, WindowOverTheLimitIsRefusedExactly) {
  const Bytes data = Text(3'000'000);
  const Bytes stream = ForeignZstd(data, /*window_log=*/21);
  sim::Pool pool(1);
  DecoderOptions options = {.codec = Codec::kZstd, .window_bytes_max = 1 << 21};
  EXPECT_THAT(Decode(stream, options, pool), IsOkAndHolds(data));
  options.window_bytes_max -= 1;
  EXPECT_THAT(Decode(stream, options, pool),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("window of 2097152")));
}

TEST(ZstdDecoder, DictionaryAndOldFormatsAreDataLoss) {
  sim::Pool pool(1);
  Bytes frame = Own(Codec::kZstd, Text(500));
  const Bytes with_dictionary = {0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x07, 0x00, 0x01, 0x00, 0x00};
  EXPECT_THAT(Decode(with_dictionary, kZstd, pool),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("dictionary")));
  frame[0] = 0x27;  // the magic of format 0.7
  EXPECT_THAT(Decode(frame, kZstd, pool), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(ZstdDecoder, FrameOfManyTinyBlocksIsReadSerially) {
  // Content size known and small, but 3 bytes of header for each block of none: 9 MiB of them.
  const Bytes data = Text(100);
  Bytes frame = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 100};
  frame.resize(frame.size() + 3 * (3 << 20));
  const uint32_t last = 1 | 100 << 3;
  frame.insert(frame.end(), {static_cast<uint8_t>(last), static_cast<uint8_t>(last >> 8), 0});
  frame.insert(frame.end(), data.begin(), data.end());
  sim::Pool pool(1);
  EXPECT_THAT(Decode(frame, kZstd, pool), IsOkAndHolds(data));
}

TEST(ZstdReader, ReadsFramesOfAnySizeAndHoldsLittleOfThem) {  // D262
  const Bytes data = Text(20'000'000);
  const Bytes own = Own(Codec::kZstd, data);  // 3 frames and their table
  const Bytes whole = CompressZstd(data, 3).value();
  for (const Bytes& stream : {own, whole, Concat({whole, own})}) {
    StepSource source(stream, 1000);
    ASSERT_OK_AND_ASSIGN(const auto reader, MakeZstdReader(source, UINT64_MAX, 8 << 20));
    Bytes first(1000);
    ASSERT_THAT(reader->Read(absl::MakeSpan(first)), IsOkAndHolds(first.size()));
    EXPECT_LT(source.taken(), 1'000'000u) << "of " << stream.size();
    ASSERT_OK_AND_ASSIGN(const Bytes rest, DecodeAll(*reader));
    const Bytes all = Concat({first, rest});
    EXPECT_TRUE(all == data || all == Concat({data, data}));
  }
}

TEST(ZstdReader, RefusesWhatIsOverItsLimits) {  // D192
  const Bytes data = Text(3'000'000);
  const auto read = [](BytesView stream, uint64_t output_max, uint64_t window_max) {
    StepSource source(stream, 50'000);
    return DecodeAll(*MakeZstdReader(source, output_max, window_max).value()).status();
  };
  const Bytes own = Own(Codec::kZstd, data);
  EXPECT_OK(read(own, data.size(), 8 << 20));
  EXPECT_THAT(read(own, data.size() - 1, 8 << 20), StatusIs(absl::StatusCode::kResourceExhausted));
  const Bytes foreign = ForeignZstd(data, /*window_log=*/21);
  EXPECT_THAT(read(foreign, data.size(), (1 << 21) - 1),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("window of 2097152")));
  EXPECT_THAT(read(BytesView(own).first(own.size() / 2), data.size(), 8 << 20),
              StatusIs(absl::StatusCode::kDataLoss));
}

class FailingSource : public ByteSource {
 public:
  explicit FailingSource(BytesView bytes) : bytes_(bytes, 1 << 20) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t read, bytes_.Read(out));
    if (read == 0) return absl::UnavailableError("connection lost");
    return read;
  }

 private:
  StepSource bytes_;
};

TEST(Decoder, ErrorOfTheSourceComesBackAfterWhatWasWhole) {
  const Bytes data = Text(2 * kMemberInputBytes);
  const Bytes stream = Own(Codec::kGzip, data);
  FailingSource source(BytesView(stream).first(stream.size() - 1));
  sim::Pool pool(1);
  ASSERT_OK_AND_ASSIGN(const auto decoder, MakeDecoder(kGzip, source, pool));
  Bytes first(kMemberInputBytes);
  size_t got = 0;
  while (got < first.size()) {
    ASSERT_OK_AND_ASSIGN(const size_t read, decoder->Read(absl::MakeSpan(first).subspan(got)));
    ASSERT_GT(read, 0u);
    got += read;
  }
  EXPECT_THAT(decoder->Read(absl::MakeSpan(first)),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("connection lost")));
  EXPECT_THAT(decoder->Read(absl::MakeSpan(first)), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(Decoder, ReadsAheadABoundedAmount) {
  const Bytes stream = Own(Codec::kGzip, RandomBytes(20 * kMemberInputBytes));
  StepSource source(stream, SIZE_MAX);
  sim::Pool pool(1, 1024, /*threads=*/2);
  ASSERT_OK_AND_ASSIGN(const auto decoder, MakeDecoder(kGzip, source, pool));
  Bytes one(1);
  ASSERT_OK(decoder->Read(absl::MakeSpan(one)));
  EXPECT_GT(source.taken(), 3 * kMemberInputBytes);
  EXPECT_LT(source.taken(), 7 * kMemberInputBytes);
}

TEST(Decoder, DroppingItCancels) {
  const Bytes stream = Own(Codec::kZstd, RandomBytes(3 * kFrameInputBytes));
  StepSource source(stream, SIZE_MAX);
  sim::Pool pool(1);
  ASSERT_OK_AND_ASSIGN(auto decoder, MakeDecoder(kZstd, source, pool));
  Bytes one(1);
  ASSERT_OK(decoder->Read(absl::MakeSpan(one)));
  decoder.reset();
  pool.RunAll();
  EXPECT_EQ(pool.waiting(), 0u);
}

}  // namespace
}  // namespace slipway::base::codec
