#include <bit>
#include <cstring>

#include "base/digest/blake3_kernel.h"

namespace slipway::base::blake3 {
namespace {

inline void Mix(uint32_t* v, int a, int b, int c, int d, uint32_t x, uint32_t y) {
  v[a] = v[a] + v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 12);
  v[a] = v[a] + v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 8);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 7);
}

// A template, so that the schedule's indices are constants and the state stays in registers.
template <int kRound>
inline void Round(uint32_t* v, const uint32_t* m) {
  constexpr const uint8_t* kWord = kSchedule.word[kRound];
  Mix(v, 0, 4, 8, 12, m[kWord[0]], m[kWord[1]]);
  Mix(v, 1, 5, 9, 13, m[kWord[2]], m[kWord[3]]);
  Mix(v, 2, 6, 10, 14, m[kWord[4]], m[kWord[5]]);
  Mix(v, 3, 7, 11, 15, m[kWord[6]], m[kWord[7]]);
  Mix(v, 0, 5, 10, 15, m[kWord[8]], m[kWord[9]]);
  Mix(v, 1, 6, 11, 12, m[kWord[10]], m[kWord[11]]);
  Mix(v, 2, 7, 8, 13, m[kWord[12]], m[kWord[13]]);
  Mix(v, 3, 4, 9, 14, m[kWord[14]], m[kWord[15]]);
}

inline void Permute(const uint32_t* cv, const uint8_t* block, uint32_t block_bytes,
                    uint64_t counter, uint32_t flags, uint32_t* v) {
  uint32_t m[16];
  for (int i = 0; i < 16; ++i) m[i] = LoadLittle<uint32_t>(block + 4 * i);
  for (int i = 0; i < 8; ++i) v[i] = cv[i];
  for (int i = 0; i < 4; ++i) v[8 + i] = kIv[i];
  v[12] = static_cast<uint32_t>(counter);
  v[13] = static_cast<uint32_t>(counter >> 32);
  v[14] = block_bytes;
  v[15] = flags;
  Round<0>(v, m);
  Round<1>(v, m);
  Round<2>(v, m);
  Round<3>(v, m);
  Round<4>(v, m);
  Round<5>(v, m);
  Round<6>(v, m);
}

void HashMany(const Batch& batch, uint8_t* out) {
  for (size_t i = 0; i < batch.count; ++i) {
    const uint8_t* input = batch.input + i * batch.blocks * kBlockBytes;
    uint32_t cv[8];
    std::memcpy(cv, batch.key, sizeof(cv));
    for (size_t block = 0; block < batch.blocks; ++block) {
      const uint32_t flags = batch.flags | (block == 0 ? batch.first_flags : 0) |
                             (block + 1 == batch.blocks ? batch.last_flags : 0);
      Compress(cv, input + block * kBlockBytes, kBlockBytes, batch.counter + i * batch.counter_step,
               flags);
    }
    std::memcpy(out + i * kCvBytes, cv, sizeof(cv));
  }
}

}  // namespace

void Compress(uint32_t* cv, const uint8_t* block, uint32_t block_bytes, uint64_t counter,
              uint32_t flags) {
  uint32_t v[16];
  Permute(cv, block, block_bytes, counter, flags, v);
  for (int i = 0; i < 8; ++i) cv[i] = v[i] ^ v[i + 8];
}

void CompressWide(const uint32_t* cv, const uint8_t* block, uint32_t block_bytes, uint64_t counter,
                  uint32_t flags, uint8_t* out) {
  uint32_t v[16];
  Permute(cv, block, block_bytes, counter, flags, v);
  for (int i = 0; i < 8; ++i) {
    StoreLittle<uint32_t>(out + 4 * i, v[i] ^ v[i + 8]);
    StoreLittle<uint32_t>(out + 32 + 4 * i, v[i + 8] ^ cv[i]);
  }
}

const Kernel kPortableKernel = {Blake3Kernel::kPortable, &HashMany};

}  // namespace slipway::base::blake3
