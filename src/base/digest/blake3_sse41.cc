#if defined(__x86_64__)
#include <smmintrin.h>

#include <algorithm>
#include <cstring>

#include "base/digest/blake3_kernel.h"

namespace slipway::base::blake3 {
namespace {

#define SLIPWAY_TARGET __attribute__((target("sse4.1")))

using Vec = __m128i;
constexpr size_t kLanes = 4;

SLIPWAY_TARGET inline Vec Broadcast(uint32_t word) {
  return _mm_set1_epi32(static_cast<int>(word));
}
SLIPWAY_TARGET inline Vec LoadWords(const uint32_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
SLIPWAY_TARGET inline Vec Add(Vec a, Vec b) { return _mm_add_epi32(a, b); }
SLIPWAY_TARGET inline Vec Xor(Vec a, Vec b) { return _mm_xor_si128(a, b); }
// A rotation by whole bytes is one shuffle, any other two shifts.
SLIPWAY_TARGET inline Vec Rotate16(Vec v) {
  return _mm_shuffle_epi8(v, _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}
SLIPWAY_TARGET inline Vec Rotate12(Vec v) {
  return _mm_or_si128(_mm_srli_epi32(v, 12), _mm_slli_epi32(v, 20));
}
SLIPWAY_TARGET inline Vec Rotate8(Vec v) {
  return _mm_shuffle_epi8(v, _mm_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}
SLIPWAY_TARGET inline Vec Rotate7(Vec v) {
  return _mm_or_si128(_mm_srli_epi32(v, 7), _mm_slli_epi32(v, 25));
}
SLIPWAY_TARGET inline Vec UnpackLow32(Vec a, Vec b) { return _mm_unpacklo_epi32(a, b); }
SLIPWAY_TARGET inline Vec UnpackHigh32(Vec a, Vec b) { return _mm_unpackhi_epi32(a, b); }
SLIPWAY_TARGET inline Vec UnpackLow64(Vec a, Vec b) { return _mm_unpacklo_epi64(a, b); }
SLIPWAY_TARGET inline Vec UnpackHigh64(Vec a, Vec b) { return _mm_unpackhi_epi64(a, b); }
SLIPWAY_TARGET inline Vec GatherQuads(const uint8_t* const* rows, size_t at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[0] + at));
}
SLIPWAY_TARGET inline void ScatterQuads(Vec v, uint8_t* out) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), v);
}

#include "base/digest/blake3_lanes.inc"

void HashMany(const Batch& batch, uint8_t* out) {
  if (batch.count == 1) {
    kPortableKernel.hash_many(batch, out);
  } else {
    HashManyLanes(batch, out, kPortableKernel);
  }
}

}  // namespace

const Kernel kSse41Kernel = {Blake3Kernel::kSse41, &HashMany};

}  // namespace slipway::base::blake3
#endif  // defined(__x86_64__)
