#include "base/codec/block_choice.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/codec/deflate_order0.h"

namespace slipway::base::codec {
namespace {

// Sampled sizes above this are a gain of less than 1%.
constexpr size_t kStoredAbove = kSampleBytes * 99 / 100;
// Sampled sizes above this are a gain of less than 12%.
constexpr size_t kOrder0Above = kSampleBytes * 88 / 100;

// Order-0 coding may be this much larger than a trial with matches and still be preferred.
size_t WithMargin(size_t trial_bytes) { return trial_bytes + trial_bytes / 256; }

void TakeSample(BytesView block, Bytes& sample) {
  for (size_t i = 0; i < kSampleSlices; ++i) {
    const size_t from = i * (block.size() - kSliceBytes) / (kSampleSlices - 1);
    std::memcpy(&sample[i * kSliceBytes], &block[from], kSliceBytes);
  }
}

// Whether codes of their own would suit parts of the sample much better than one for all, as in
// sound, where loud and soft passages alternate: the full level cuts its blocks where that pays,
// order-0 coding does not. A slice of uniform bytes seems to gain 0.6% by chance alone.
bool VariesAlong(BytesView sample) {
  const LiteralLengths shared = BuildLiteralLengths(CountBytes(sample));
  uint64_t shared_bits = 0, own_bits = 0;
  for (size_t i = 1; i < kSampleSlices; i += 4) {
    const Histogram histogram = CountBytes(sample.subspan(i * kSliceBytes, kSliceBytes));
    shared_bits += CodedBits(shared, histogram);
    own_bits += CodedBits(BuildLiteralLengths(histogram), histogram);
  }
  return own_bits * 100 < shared_bits * 96;
}

// Regions in which recurring strings are looked for, each twice deflate's window.
constexpr size_t kRegions = 4;
constexpr size_t kRegionBytes = 64 * 1024;
constexpr size_t kStride = 32;  // expected distance of the positions looked at

// How many of the 8-byte strings looked at occur a second time within the window. Looked at is a
// string whose hash says so: then both its occurrences are, at whatever distance.
size_t CountRepeats(BytesView region) {
  constexpr uint64_t kMix = 0x9e3779b97f4a7c15;   // 2^64 / golden ratio, odd
  constexpr uint64_t kFlip = 0xd1b54a32d192ed03;  // so that zeros are not looked at
  constexpr uint64_t kWindowBytes = 32 * 1024;
  static_assert(kStride == 1 << (64 - 59));
  std::array<uint32_t, 4096> seen = {};  // by hash: position + 1 of the last string, or 0
  size_t found = 0;
  for (size_t at = 0; at + 8 <= region.size(); ++at) {
    const auto word = LoadLittle<uint64_t>(&region[at]);
    const uint64_t hash = (word ^ kFlip) * kMix;
    if (hash >> 59 != 0) continue;
    const size_t before = std::exchange(seen[hash >> 47 & 0xfff], static_cast<uint32_t>(at + 1));
    if (before == 0 || at + 1 - before > kWindowBytes) continue;
    if (LoadLittle<uint64_t>(&region[before - 1]) == word) ++found;
  }
  return found;
}

}  // namespace

void BlockDeflater::FreeCompressor::operator()(libdeflate_compressor* compressor) const {
  libdeflate_free_compressor(compressor);
}

BlockDeflater::BlockDeflater(int level)
    : probe_(libdeflate_alloc_compressor(1)),
      full_(libdeflate_alloc_compressor(level)),
      sample_(kSampleBytes) {
  SLIPWAY_CHECK(probe_ != nullptr);  // out of memory ends the process, as operator new does
  SLIPWAY_CHECK(full_ != nullptr);
  trial_.resize(libdeflate_deflate_compress_bound(full_.get(), kSampleBytes));
}

BlockDeflater::~BlockDeflater() = default;

size_t BlockDeflater::TrialBytes(Compressor& compressor) {
  const size_t bytes = libdeflate_deflate_compress(compressor.get(), sample_.data(), sample_.size(),
                                                   trial_.data(), trial_.size());
  SLIPWAY_CHECK(bytes != 0);
  return bytes;
}

BlockCoding BlockDeflater::Choose(BytesView block) {
  if (block.size() < kSampleBytes) return BlockCoding::kFull;
  TakeSample(block, sample_);
  const size_t order0 = (Order0Bits(CountBytes(sample_)) + 7) / 8;
  const size_t probe = TrialBytes(probe_);
  const size_t best = std::min(order0, probe);
  if (best <= kStoredAbove) {
    if (order0 > WithMargin(probe)) return BlockCoding::kFull;
    // Where much is gained, ask the level itself whether its matches add to it.
    if (best <= kOrder0Above && order0 > WithMargin(TrialBytes(full_))) return BlockCoding::kFull;
  }
  if (VariesAlong(sample_) || HasDistantRepeats(block)) return BlockCoding::kFull;
  return best <= kStoredAbove ? BlockCoding::kOrder0 : BlockCoding::kStored;
}

size_t BlockDeflater::Write(BytesView block, BlockCoding coding, uint8_t* out) {
  switch (coding) {
    case BlockCoding::kStored:
      return WriteStored(block, out);
    case BlockCoding::kOrder0:
      return WriteOrder0(block, out);
    case BlockCoding::kFull:
      break;
  }
  const size_t bytes = libdeflate_deflate_compress(full_.get(), block.data(), block.size(), out,
                                                   BoundBytes(block.size()));
  SLIPWAY_CHECK(bytes != 0);
  return bytes;
}

size_t BlockDeflater::BoundBytes(size_t block_bytes) const {
  return std::max(LiteralBytesMax(block_bytes),
                  libdeflate_deflate_compress_bound(full_.get(), block_bytes));
}

bool HasDistantRepeats(BytesView block) {
  size_t found = 0;
  const size_t span = std::min(block.size(), kRegionBytes);
  const size_t enough = std::max<size_t>(1, kRegions * span / 100 / kStride);
  for (size_t i = 0; i < kRegions; ++i) {
    const size_t from = i * (block.size() - span) / (kRegions - 1);
    found += CountRepeats(block.subspan(from, span));
    if (found >= enough) return true;
  }
  return false;
}

}  // namespace slipway::base::codec
