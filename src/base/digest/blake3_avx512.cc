#if defined(__x86_64__)
#if !defined(__clang__)
// GCC 12's own header builds "undefined" vectors from uninitialised variables and then warns.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "base/digest/blake3_kernel.h"

namespace slipway::base::blake3 {
namespace {

#define SLIPWAY_TARGET __attribute__((target("avx512f,avx512vl")))

using Vec = __m512i;
constexpr size_t kLanes = 16;

SLIPWAY_TARGET inline Vec Broadcast(uint32_t word) {
  return _mm512_set1_epi32(static_cast<int>(word));
}
SLIPWAY_TARGET inline Vec LoadWords(const uint32_t* at) { return _mm512_loadu_si512(at); }
SLIPWAY_TARGET inline Vec Add(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
SLIPWAY_TARGET inline Vec Xor(Vec a, Vec b) { return _mm512_xor_si512(a, b); }
SLIPWAY_TARGET inline Vec Rotate16(Vec v) { return _mm512_ror_epi32(v, 16); }
SLIPWAY_TARGET inline Vec Rotate12(Vec v) { return _mm512_ror_epi32(v, 12); }
SLIPWAY_TARGET inline Vec Rotate8(Vec v) { return _mm512_ror_epi32(v, 8); }
SLIPWAY_TARGET inline Vec Rotate7(Vec v) { return _mm512_ror_epi32(v, 7); }
SLIPWAY_TARGET inline Vec UnpackLow32(Vec a, Vec b) { return _mm512_unpacklo_epi32(a, b); }
SLIPWAY_TARGET inline Vec UnpackHigh32(Vec a, Vec b) { return _mm512_unpackhi_epi32(a, b); }
SLIPWAY_TARGET inline Vec UnpackLow64(Vec a, Vec b) { return _mm512_unpacklo_epi64(a, b); }
SLIPWAY_TARGET inline Vec UnpackHigh64(Vec a, Vec b) { return _mm512_unpackhi_epi64(a, b); }

SLIPWAY_TARGET inline __m128i Quad(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
SLIPWAY_TARGET inline Vec GatherQuads(const uint8_t* const* rows, size_t at) {
  Vec v = _mm512_castsi128_si512(Quad(rows[0] + at));
  v = _mm512_inserti32x4(v, Quad(rows[4] + at), 1);
  v = _mm512_inserti32x4(v, Quad(rows[8] + at), 2);
  return _mm512_inserti32x4(v, Quad(rows[12] + at), 3);
}
SLIPWAY_TARGET inline void StoreQuad(__m128i quad, uint8_t* at) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), quad);
}
SLIPWAY_TARGET inline void ScatterQuads(Vec v, uint8_t* out) {
  StoreQuad(_mm512_castsi512_si128(v), out);
  StoreQuad(_mm512_extracti32x4_epi32(v, 1), out + 4 * kCvBytes);
  StoreQuad(_mm512_extracti32x4_epi32(v, 2), out + 8 * kCvBytes);
  StoreQuad(_mm512_extracti32x4_epi32(v, 3), out + 12 * kCvBytes);
}

#include "base/digest/blake3_lanes.inc"

void HashMany(const Batch& batch, uint8_t* out) { HashManyLanes(batch, out, kAvx2Kernel); }

}  // namespace

const Kernel kAvx512Kernel = {Blake3Kernel::kAvx512, &HashMany};

}  // namespace slipway::base::blake3
#endif  // defined(__x86_64__)
