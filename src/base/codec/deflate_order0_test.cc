#include "base/codec/deflate_order0.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <queue>
#include <utility>

#include "base/codec/test_corpus.h"

namespace slipway::base::codec {
namespace {

// The decoder of another hand.
absl::StatusOr<Bytes> Inflate(BytesView deflated, size_t size) {
  Bytes out(size + 1);
  z_stream stream = {};
  inflateInit2(&stream, -15);
  stream.next_in = const_cast<Bytef*>(deflated.data());
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_FINISH);
  const size_t left = stream.avail_in;
  out.resize(stream.total_out);
  inflateEnd(&stream);
  if (result != Z_STREAM_END || left != 0) return absl::DataLossError("not one deflate stream");
  return out;
}

// Sum of the merged weights of a Huffman tree built the slow way: bits that an optimal code takes.
uint64_t OptimalBits(absl::Span<const uint32_t> frequencies) {
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> heap;
  for (const uint32_t frequency : frequencies) {
    if (frequency != 0) heap.push(frequency);
  }
  uint64_t bits = 0;
  while (heap.size() > 1) {
    const uint64_t a = heap.top();
    heap.pop();
    const uint64_t b = heap.top();
    heap.pop();
    bits += a + b;
    heap.push(a + b);
  }
  return bits;
}

uint64_t CodeSpace(absl::Span<const uint8_t> lengths) {  // 2^30 when the code is complete
  uint64_t space = 0;
  for (const uint8_t length : lengths) space += length == 0 ? 0 : uint64_t{1} << (30 - length);
  return space;
}

TEST(BuildCodeLengths, IsOptimalWhereTheLimitDoesNotBind) {
  CorpusRandom random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint32_t> frequencies(2 + random.Below(280));
    for (uint32_t& frequency : frequencies) {
      frequency = static_cast<uint32_t>(random.Below(random.Below(3) == 0 ? 1000 : 4));
    }
    frequencies.front() = frequencies.back() = 1;
    std::vector<uint8_t> lengths(frequencies.size());
    BuildCodeLengths(frequencies, 28, absl::MakeSpan(lengths));
    uint64_t bits = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      bits += uint64_t{frequencies[i]} * lengths[i];
      ASSERT_EQ(frequencies[i] != 0, lengths[i] != 0);
    }
    ASSERT_EQ(bits, OptimalBits(frequencies)) << "round " << round;
    ASSERT_EQ(CodeSpace(lengths), uint64_t{1} << 30);
  }
}

TEST(BuildCodeLengths, KeepsTheLimitWithACompleteCode) {
  std::vector<uint32_t> frequencies = {1, 1};  // Fibonacci: the deepest tree there is
  while (frequencies.size() < 40) {
    frequencies.push_back(frequencies.back() + frequencies[frequencies.size() - 2]);
  }
  for (const int limit : {6, 7, 14, 15}) {
    std::vector<uint8_t> lengths(frequencies.size());
    BuildCodeLengths(frequencies, limit, absl::MakeSpan(lengths));
    EXPECT_EQ(*std::max_element(lengths.begin(), lengths.end()), limit);
    EXPECT_EQ(CodeSpace(lengths), uint64_t{1} << 30);
    EXPECT_TRUE(std::is_sorted(lengths.rbegin(), lengths.rend())) << "the rarer, the longer";
  }
}

std::vector<Bytes> Inputs() {
  std::vector<Bytes> inputs = {{0},
                               {255, 255},
                               Bytes(300'000, 7),
                               RandomBytes(70'000),
                               Weights32(400'001),
                               Weights16(131'072),
                               Text(262'145),
                               Mixed(700'000)};
  for (const size_t size : {kStoredBytesMax, kOrder0BlockBytes}) {
    for (const size_t near : {size - 1, size, size + 1}) inputs.push_back(RandomBytes(near));
  }
  Bytes skewed;  // a tree deeper than the limit of literals
  for (size_t symbol = 0, count = 1, last = 1; skewed.size() < 120'000; ++symbol) {
    skewed.insert(skewed.end(), count, static_cast<uint8_t>(symbol * 37));
    last = std::exchange(count, count + last);
  }
  inputs.push_back(std::move(skewed));
  for (size_t size = 1; size < 600; size += 13) inputs.push_back(Text(size, size));
  return inputs;
}

TEST(WriteOrder0, IsReadByZlibAndKeepsItsBound) {
  for (const Bytes& input : Inputs()) {
    Bytes out(LiteralBytesMax(input.size()));
    out.resize(WriteOrder0(input, out.data()));
    ASSERT_LE(out.size() + 8, LiteralBytesMax(input.size()));
    const auto inflated = Inflate(out, input.size());
    ASSERT_TRUE(inflated.ok()) << input.size();
    ASSERT_TRUE(*inflated == input) << input.size();
  }
}

TEST(WriteStored, IsReadByZlibAndKeepsItsBound) {
  for (const Bytes& input : Inputs()) {
    Bytes out(LiteralBytesMax(input.size()));
    out.resize(WriteStored(input, out.data()));
    EXPECT_EQ(out.size(),
              input.size() + 5 * ((input.size() + kStoredBytesMax - 1) / kStoredBytesMax));
    const auto inflated = Inflate(out, input.size());
    ASSERT_TRUE(inflated.ok()) << input.size();
    ASSERT_TRUE(*inflated == input) << input.size();
  }
}

TEST(Order0Bits, IsTheSizeOfTheBlockThatIsWritten) {
  for (const Bytes& input : {Weights32(100'000), Text(kOrder0BlockBytes), Bytes(5000, 1)}) {
    Bytes out(LiteralBytesMax(input.size()));
    EXPECT_EQ((Order0Bits(CountBytes(input)) + 7) / 8, WriteOrder0(input, out.data()));
  }
}

TEST(WriteOrder0, ComesNearToTheEntropyOfWeights) {
  const Bytes input = Weights32(1 << 20);
  std::vector<uint32_t> frequencies;
  for (const uint32_t count : CountBytes(input)) frequencies.push_back(count);
  Bytes out(LiteralBytesMax(input.size()));
  const size_t bytes = WriteOrder0(input, out.data());
  EXPECT_LE(bytes * 8, OptimalBits(frequencies) * 1002 / 1000);
  EXPECT_LT(bytes, input.size() * 94 / 100);
}

}  // namespace
}  // namespace slipway::base::codec
