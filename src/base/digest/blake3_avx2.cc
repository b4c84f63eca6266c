#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "base/digest/blake3_kernel.h"

namespace slipway::base::blake3 {
namespace {

#define SLIPWAY_TARGET __attribute__((target("avx2")))

using Vec = __m256i;
constexpr size_t kLanes = 8;

SLIPWAY_TARGET inline Vec Broadcast(uint32_t word) {
  return _mm256_set1_epi32(static_cast<int>(word));
}
SLIPWAY_TARGET inline Vec LoadWords(const uint32_t* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
SLIPWAY_TARGET inline Vec Add(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
SLIPWAY_TARGET inline Vec Xor(Vec a, Vec b) { return _mm256_xor_si256(a, b); }
// A rotation by whole bytes is one shuffle, any other two shifts.
SLIPWAY_TARGET inline Vec Rotate16(Vec v) {
  return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                    2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)));
}
SLIPWAY_TARGET inline Vec Rotate12(Vec v) {
  return _mm256_or_si256(_mm256_srli_epi32(v, 12), _mm256_slli_epi32(v, 20));
}
SLIPWAY_TARGET inline Vec Rotate8(Vec v) {
  return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                    1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12)));
}
SLIPWAY_TARGET inline Vec Rotate7(Vec v) {
  return _mm256_or_si256(_mm256_srli_epi32(v, 7), _mm256_slli_epi32(v, 25));
}
SLIPWAY_TARGET inline Vec UnpackLow32(Vec a, Vec b) { return _mm256_unpacklo_epi32(a, b); }
SLIPWAY_TARGET inline Vec UnpackHigh32(Vec a, Vec b) { return _mm256_unpackhi_epi32(a, b); }
SLIPWAY_TARGET inline Vec UnpackLow64(Vec a, Vec b) { return _mm256_unpacklo_epi64(a, b); }
SLIPWAY_TARGET inline Vec UnpackHigh64(Vec a, Vec b) { return _mm256_unpackhi_epi64(a, b); }

SLIPWAY_TARGET inline __m128i Quad(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
SLIPWAY_TARGET inline Vec GatherQuads(const uint8_t* const* rows, size_t at) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(Quad(rows[0] + at)), Quad(rows[4] + at), 1);
}
SLIPWAY_TARGET inline void ScatterQuads(Vec v, uint8_t* out) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(v));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4 * kCvBytes), _mm256_extracti128_si256(v, 1));
}

#include "base/digest/blake3_lanes.inc"

void HashMany(const Batch& batch, uint8_t* out) { HashManyLanes(batch, out, kSse41Kernel); }

}  // namespace

const Kernel kAvx2Kernel = {Blake3Kernel::kAvx2, &HashMany};

}  // namespace slipway::base::blake3
#endif  // defined(__x86_64__)
