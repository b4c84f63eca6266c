#include "base/codec/block_choice.h"

#include <gtest/gtest.h>

#include <ostream>

#include "base/codec/format.h"
#include "base/codec/test_corpus.h"

namespace slipway::base::codec {
void PrintTo(BlockCoding coding, std::ostream* out) {
  *out << (coding == BlockCoding::kStored   ? "stored"
           : coding == BlockCoding::kOrder0 ? "order-0"
                                            : "full");
}
namespace {

size_t Size(BlockDeflater& deflater, BytesView block, BlockCoding coding) {
  Bytes out(deflater.BoundBytes(block.size()));
  return deflater.Write(block, coding, out.data());
}

TEST(BlockChoice, FitsTheContent) {  // D40
  struct Row {
    const char* name;
    Bytes block;
    BlockCoding coding;
  };
  const Row rows[] = {
      {"random", RandomBytes(kMemberInputBytes), BlockCoding::kStored},
      {"float32 weights", Weights32(kMemberInputBytes), BlockCoding::kOrder0},
      {"bfloat16 weights", Weights16(kMemberInputBytes), BlockCoding::kOrder0},
      {"text", Text(kMemberInputBytes), BlockCoding::kFull},
      {"records", Records(kMemberInputBytes), BlockCoding::kFull},
      {"zeros", Bytes(kMemberInputBytes), BlockCoding::kFull},
      {"sound", Sound(kMemberInputBytes), BlockCoding::kFull},
      {"random, repeated", Doubled(kMemberInputBytes), BlockCoding::kFull},
      {"random, one sample", RandomBytes(kSampleBytes), BlockCoding::kStored},
      {"random, less than a sample", RandomBytes(kSampleBytes - 1), BlockCoding::kFull},
      {"nothing", {}, BlockCoding::kFull},
  };
  for (const int level : {1, 6, 9}) {
    BlockDeflater deflater(level);
    for (const Row& row : rows) EXPECT_EQ(deflater.Choose(row.block), row.coding) << row.name;
  }
}

TEST(BlockChoice, LosesNothingWorthHaving) {  // D250: 1.01x for weights, 1.02x mixed
  for (const int level : {1, 6, 9}) {
    BlockDeflater deflater(level);
    size_t chosen = 0, full = 0;
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      const Bytes mixed = Mixed(kMemberInputBytes, seed);
      chosen += Size(deflater, mixed, deflater.Choose(mixed));
      full += Size(deflater, mixed, BlockCoding::kFull);
    }
    EXPECT_LE(chosen, full * 102 / 100) << "level " << level;
    const Bytes weights = Weights32(kMemberInputBytes);
    EXPECT_LE(Size(deflater, weights, deflater.Choose(weights)),
              Size(deflater, weights, BlockCoding::kFull) * 101 / 100);
  }
}

TEST(HasDistantRepeats, SeesCopiesWithinTheWindowOnly) {
  EXPECT_FALSE(HasDistantRepeats(RandomBytes(kMemberInputBytes)));
  EXPECT_FALSE(HasDistantRepeats(Weights32(kMemberInputBytes)));
  EXPECT_TRUE(HasDistantRepeats(Doubled(kMemberInputBytes)));
  Bytes far = RandomBytes(80'000);
  std::copy_n(far.begin(), 40'000, far.begin() + 40'000);
  EXPECT_FALSE(HasDistantRepeats(far)) << "deflate cannot reach back 40,000 bytes";
  Bytes near = RandomBytes(80'000);
  std::copy_n(near.begin(), 30'000, near.begin() + 30'000);
  EXPECT_TRUE(HasDistantRepeats(near));
  EXPECT_FALSE(HasDistantRepeats(Bytes(7)));
}

}  // namespace
}  // namespace slipway::base::codec
