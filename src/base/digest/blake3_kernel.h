// Private to base/digest, its tests and its benchmarks: the compression functions of BLAKE3, one
// set a processor extension. Thread-safe: pure functions. Numbers are those of the BLAKE3 paper,
// section 2.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/digest/blake3.h"

namespace slipway::base::blake3 {

inline constexpr size_t kBlockBytes = 64;
inline constexpr size_t kChunkBytes = 1024;
inline constexpr size_t kChunkBlocks = kChunkBytes / kBlockBytes;
inline constexpr size_t kCvBytes = 32;  // a chaining value: 8 words, little-endian
inline constexpr int kRounds = 7;
static_assert(2 * kCvBytes == kBlockBytes, "two chaining values in a row are a parent's block");

// Bits of the domain flags (paper, table 3).
inline constexpr uint32_t kChunkStart = 1;
inline constexpr uint32_t kChunkEnd = 2;
inline constexpr uint32_t kParent = 4;
inline constexpr uint32_t kRoot = 8;
inline constexpr uint32_t kKeyedHash = 16;
inline constexpr uint32_t kDeriveKeyContext = 32;
inline constexpr uint32_t kDeriveKeyMaterial = 64;

// The initial value of SHA-256.
inline constexpr uint32_t kIv[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

// kSchedule.word[r][i]: which word of the block is word i of round r, so that no round has to move
// words about. Row r + 1 is row r under the permutation of the paper, table 2.
struct Schedule {
  uint8_t word[kRounds][16];
};
constexpr Schedule MakeSchedule() {
  constexpr uint8_t kPermutation[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
  Schedule schedule{};
  for (uint8_t i = 0; i < 16; ++i) schedule.word[0][i] = i;
  for (int round = 1; round < kRounds; ++round) {
    for (int i = 0; i < 16; ++i) {
      schedule.word[round][i] = schedule.word[round - 1][kPermutation[i]];
    }
  }
  return schedule;
}
inline constexpr Schedule kSchedule = MakeSchedule();

// Equally long inputs that lie one behind the other: whole chunks (16 blocks each), or parents
// (1 block: two chaining values).
struct Batch {
  const uint8_t* input;
  size_t count;
  size_t blocks;          // of each input
  const uint32_t* key;    // 8 words: the chaining value each input begins with
  uint64_t counter;       // of the first input
  uint64_t counter_step;  // 1 for chunks, 0 for parents
  uint32_t flags;         // of every block
  uint32_t first_flags;   // more flags of an input's first block
  uint32_t last_flags;    // and of its last
};

// `cv` (8 words) becomes the chaining value after `block`, which is padded with zeros to 64 bytes.
// There is one version of this for all processors: with a block on its own, vectors of four words
// (SSE4.1 and AVX-512) were measured no faster, for the rounds wait for each other.
void Compress(uint32_t* cv, const uint8_t* block, uint32_t block_bytes, uint64_t counter,
              uint32_t flags);

// The same, with all 64 bytes of output, for the root.
void CompressWide(const uint32_t* cv, const uint8_t* block, uint32_t block_bytes, uint64_t counter,
                  uint32_t flags, uint8_t* out);

struct Kernel {
  Blake3Kernel id;
  // The chaining values of all inputs, 32 bytes each. `out` may be the beginning of batch.input
  // when blocks is 1: every step reads what it needs before it writes.
  void (*hash_many)(const Batch& batch, uint8_t* out);
};

extern const Kernel kPortableKernel;
#if defined(__x86_64__)
extern const Kernel kSse41Kernel;
extern const Kernel kAvx2Kernel;
extern const Kernel kAvx512Kernel;
#endif

// The kernel in use: the fastest this processor runs, unless ForceBlake3Kernel chose another.
const Kernel& ActiveKernel();

}  // namespace slipway::base::blake3
