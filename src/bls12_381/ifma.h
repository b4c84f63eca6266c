// Integers side by side in the eight lanes of AVX-512, with the fused multipliers of IFMA: what
// both fields share. Only where internal::g_use_ifma. Internal to this folder: included by *_ifma.*
// alone.
//
// A value has N limbs of 52 bits. It is normalised when each limb is below 2^52; factors must be.
// Values are not canonical: the bound of each is part of the functions that make and take it.
#pragma once

#if defined(__x86_64__)
#if !defined(__clang__)
// GCC 12's own header builds "undefined" vectors from uninitialised variables and then warns.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#if defined(__clang__)
#define SLIPWAY_UNROLL _Pragma("unroll")
#else
#define SLIPWAY_UNROLL _Pragma("GCC unroll 17")
#endif
#define SLIPWAY_IFMA __attribute__((target("avx512f,avx512vl,avx512ifma")))
#define SLIPWAY_IFMA_INLINE \
  __attribute__((always_inline, target("avx512f,avx512vl,avx512ifma"))) inline

namespace slipway::bls12_381::internal {
namespace {  // each file its own: nothing here may be taken for code of another processor

constexpr size_t kLanes = 8;
constexpr uint64_t kMask52 = (uint64_t{1} << 52) - 1;

template <size_t N>
struct Lanes {
  __m512i limb[N];
};

SLIPWAY_IFMA_INLINE __m512i Set1(uint64_t value) {
  return _mm512_set1_epi64(static_cast<long long>(value));
}

template <size_t N>
SLIPWAY_IFMA_INLINE void SetAll(Lanes<N>& out, const uint64_t (&value)[N]) {
  SLIPWAY_UNROLL
  for (size_t j = 0; j < N; ++j) out.limb[j] = Set1(value[j]);
}

// To and from 8 * N words at an address of 64 bytes' alignment.
template <size_t N>
SLIPWAY_IFMA_INLINE void LoadLimbs(Lanes<N>& out, const uint64_t* in) {
  SLIPWAY_UNROLL
  for (size_t j = 0; j < N; ++j) out.limb[j] = _mm512_load_si512(in + kLanes * j);
}

template <size_t N>
SLIPWAY_IFMA_INLINE void StoreLimbs(uint64_t* out, const Lanes<N>& a) {
  SLIPWAY_UNROLL
  for (size_t j = 0; j < N; ++j) _mm512_store_si512(out + kLanes * j, a.limb[j]);
}

// Carries from limb to limb; limbs may be negative, the value is not and is below 2^(52 N). All
// limbs but the last are normalised of a negative value, too: its last limb is negative.
template <size_t N>
SLIPWAY_IFMA_INLINE void Normalise(Lanes<N>& a) {
  SLIPWAY_UNROLL
  for (size_t j = 0; j + 1 < N; ++j) {
    a.limb[j + 1] = _mm512_add_epi64(a.limb[j + 1], _mm512_srai_epi64(a.limb[j], 52));
    a.limb[j] = _mm512_and_si512(a.limb[j], Set1(kMask52));
  }
}

// acc[0], acc[1] += low and high half of x * y.
SLIPWAY_IFMA_INLINE void MulAdd52(__m512i* acc, const __m512i& x, const __m512i& y) {
  acc[0] = _mm512_madd52lo_epu64(acc[0], x, y);
  acc[1] = _mm512_madd52hi_epu64(acc[1], x, y);
}

// acc[0..N] += q * modulus with the q that makes the lowest 52 bits vanish; `inverse` is
// -1 / modulus mod 2^52.
template <size_t N>
SLIPWAY_IFMA_INLINE void AddQuotient(__m512i* acc, const uint64_t (&modulus)[N], uint64_t inverse) {
  const __m512i q = _mm512_madd52lo_epu64(_mm512_setzero_si512(), acc[0], Set1(inverse));
  SLIPWAY_UNROLL
  for (size_t j = 0; j < N; ++j) MulAdd52(acc + j, Set1(modulus[j]), q);
}

// out = a * b / 2^(52 N) mod modulus, below modulus + a * b / 2^(52 N); that and the sum of b and
// the modulus are below 2^(52 N). Normalised.
template <size_t N>
SLIPWAY_IFMA_INLINE void MontgomeryMul(Lanes<N>& out, const Lanes<N>& a, const Lanes<N>& b,
                                       const uint64_t (&modulus)[N], uint64_t inverse) {
  __m512i acc[N + 1];
  SLIPWAY_UNROLL
  for (__m512i& limb : acc) limb = _mm512_setzero_si512();
  for (size_t i = 0; i < N; ++i) {  // acc = (acc + a * b[i] + q * modulus) / 2^52
    SLIPWAY_UNROLL
    for (size_t j = 0; j < N; ++j) MulAdd52(acc + j, a.limb[j], b.limb[i]);
    AddQuotient(acc, modulus, inverse);
    acc[0] = _mm512_add_epi64(acc[1], _mm512_srli_epi64(acc[0], 52));
    SLIPWAY_UNROLL
    for (size_t j = 1; j < N; ++j) acc[j] = acc[j + 1];
    acc[N] = _mm512_setzero_si512();
  }
  SLIPWAY_UNROLL
  for (size_t j = 0; j < N; ++j) out.limb[j] = acc[j];
  Normalise(out);
}

// a = a - modulus where a >= modulus; a is normalised.
template <size_t N>
SLIPWAY_IFMA_INLINE void SubtractModulus(Lanes<N>& a, const uint64_t (&modulus)[N]) {
  Lanes<N> t;
  SLIPWAY_UNROLL
  for (size_t j = 0; j < N; ++j) t.limb[j] = _mm512_sub_epi64(a.limb[j], Set1(modulus[j]));
  Normalise(t);
  const __mmask8 below = _mm512_cmplt_epi64_mask(t.limb[N - 1], _mm512_setzero_si512());
  SLIPWAY_UNROLL
  for (size_t j = 0; j < N; ++j) a.limb[j] = _mm512_mask_mov_epi64(t.limb[j], below, a.limb[j]);
}

// Rows become columns: word j of row i and word i of row j change places.
SLIPWAY_IFMA_INLINE void Transpose(__m512i (&m)[8]) {
  __m512i t[8];
  SLIPWAY_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_epi64(m[i], m[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi64(m[i], m[i + 1]);
  }
  __m512i u[8];
  SLIPWAY_UNROLL
  for (int i = 0; i < 8; i += 4) {
    SLIPWAY_UNROLL
    for (int j = 0; j < 2; ++j) {
      u[i + j] = _mm512_shuffle_i64x2(t[i + j], t[i + j + 2], 0x88);
      u[i + j + 2] = _mm512_shuffle_i64x2(t[i + j], t[i + j + 2], 0xdd);
    }
  }
  SLIPWAY_UNROLL
  for (int j = 0; j < 4; ++j) {
    m[j] = _mm512_shuffle_i64x2(u[j], u[j + 4], 0x88);
    m[j + 4] = _mm512_shuffle_i64x2(u[j], u[j + 4], 0xdd);
  }
}

}  // namespace
}  // namespace slipway::bls12_381::internal

#endif
