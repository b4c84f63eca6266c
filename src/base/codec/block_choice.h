// Which coding a block of a gzip stream deserves (D40): the cheapest that loses nothing worth
// having. Integer arithmetic over deterministic encoders only, so every machine chooses alike; the
// rule is part of the package format (docs/formats/compression.md) and never changes.
// Thread-compatible: one BlockDeflater a job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

struct libdeflate_compressor;

namespace slipway::base::codec {

enum class BlockCoding : uint8_t { kStored, kOrder0, kFull };

inline constexpr size_t kSampleBytes = 64 * 1024;
inline constexpr size_t kSampleSlices = 16;
inline constexpr size_t kSliceBytes = kSampleBytes / kSampleSlices;

// Codes blocks as raw deflate streams. Holds the match finder's tables (up to some MiB) and the
// sample, so it is worth keeping from block to block; what it writes does not depend on that.
class BlockDeflater {
 public:
  explicit BlockDeflater(int level);
  ~BlockDeflater();
  BlockDeflater(BlockDeflater&&) = default;

  // kFull for blocks smaller than a sample: there is little to save.
  BlockCoding Choose(BytesView block);

  // Writes `block` as a complete deflate stream; returns its size. `out` holds at least
  // BoundBytes(block.size()). Empty blocks take kFull.
  size_t Write(BytesView block, BlockCoding coding, uint8_t* out);
  size_t BoundBytes(size_t block_bytes) const;

 private:
  struct FreeCompressor {
    void operator()(libdeflate_compressor* compressor) const;
  };
  using Compressor = std::unique_ptr<libdeflate_compressor, FreeCompressor>;

  size_t TrialBytes(Compressor& compressor);

  Compressor probe_;  // level 1
  Compressor full_;
  Bytes sample_;
  Bytes trial_;
};

// Whether 8-byte strings recur within deflate's window for at least a hundredth of `block`, by a
// look at about every 32nd position of four regions. A sample of short slices cannot see this.
bool HasDistantRepeats(BytesView block);

}  // namespace slipway::base::codec
