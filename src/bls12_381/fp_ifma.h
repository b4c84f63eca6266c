// Eight elements of Fp side by side in the lanes of AVX-512 (ifma.h). An element stands for its
// value times 2^416 modulo p, unless a function says otherwise. 2^416 is 2^35 times p, so that
// products and sums need no final subtraction. Internal to this folder: included by *_ifma.cc
// alone.
#pragma once

#if defined(__x86_64__)
#include <cstddef>
#include <cstdint>

#include "bls12_381/fp.h"
#include "bls12_381/ifma.h"

namespace slipway::bls12_381::internal {
namespace {

using Fp8 = Lanes<8>;

// p, 4p and 2^32 p in limbs of 52 bits; -1 / p mod 2^52; 2^416 mod p, which stands for one.
constexpr uint64_t kP52[8] = {0xeffffffffaaab, 0xfeb153ffffb9f, 0x6b0f6241eabff, 0x12bf6730d2a0f,
                              0x764774b84f385, 0x1ba7b6434bacd, 0x1ea397fe69a4b, 0x000000001a011};
constexpr uint64_t kP52Times4[8] = {0xbfffffffeaaac, 0xfac54ffffee7f, 0xac3d8907aafff,
                                    0x4afd9cc34a83d, 0xd91dd2e13ce14, 0x6e9ed90d2eb35,
                                    0x7a8e5ff9a692c, 0x0000000068044};
constexpr uint64_t kP52Times2To32[8] = {0xfaaab00000000, 0xffb9fefffffff, 0xeabfffeb153ff,
                                        0xd2a0f6b0f6241, 0x4f38512bf6730, 0x4bacd764774b8,
                                        0x69a4b1ba7b643, 0x1a0111ea397fe};
constexpr uint64_t kOne52[8] = {0x6480ea8e9b9af, 0x65766c8fe444f, 0x8b540fea96f7d, 0x3b2ee82efd422,
                                0xa6723e5f0ade5, 0xff6eb6fdd4230, 0xe06ef23c24a25, 0x0000000014c8e};
constexpr uint64_t kInverse52 = 0x3fffcfffcfffd;

// out = a + b - c + k.
SLIPWAY_IFMA_INLINE void AddSub(Fp8& out, const Fp8& a, const Fp8& b, const Fp8& c,
                                const uint64_t (&k)[8]) {
  SLIPWAY_UNROLL
  for (int j = 0; j < 8; ++j) {
    out.limb[j] = _mm512_sub_epi64(_mm512_add_epi64(a.limb[j], b.limb[j]),
                                   _mm512_sub_epi64(c.limb[j], Set1(k[j])));
  }
  Normalise(out);
}

// out = a - b + k, where k is a multiple of p not below b.
SLIPWAY_IFMA_INLINE void Sub(Fp8& out, const Fp8& a, const Fp8& b, const uint64_t (&k)[8]) {
  SLIPWAY_UNROLL
  for (int j = 0; j < 8; ++j) {
    out.limb[j] = _mm512_add_epi64(_mm512_sub_epi64(a.limb[j], b.limb[j]), Set1(k[j]));
  }
  Normalise(out);
}

// out = a * b / 2^416 mod p, for a * b <= 2^35 p^2; below p + a * b / 2^416, which is below 2p.
SLIPWAY_IFMA_INLINE void Mul(Fp8& out, const Fp8& a, const Fp8& b) {
  MontgomeryMul(out, a, b, kP52, kInverse52);
}

// Mul(out, a, a), with each product of different limbs made once.
SLIPWAY_IFMA_INLINE void Square(Fp8& out, const Fp8& a) {
  __m512i acc[17];
  SLIPWAY_UNROLL
  for (__m512i& limb : acc) limb = _mm512_setzero_si512();
  SLIPWAY_UNROLL
  for (int i = 0; i < 7; ++i) {
    SLIPWAY_UNROLL
    for (int j = i + 1; j < 8; ++j) MulAdd52(acc + i + j, a.limb[i], a.limb[j]);
  }
  SLIPWAY_UNROLL
  for (int i = 1; i < 16; ++i) acc[i] = _mm512_add_epi64(acc[i], acc[i]);
  SLIPWAY_UNROLL
  for (int i = 0; i < 8; ++i) MulAdd52(acc + 2 * i, a.limb[i], a.limb[i]);
  SLIPWAY_UNROLL
  for (int i = 0; i < 8; ++i) {
    AddQuotient(acc + i, kP52, kInverse52);
    acc[i + 1] = _mm512_add_epi64(acc[i + 1], _mm512_srli_epi64(acc[i], 52));
  }
  SLIPWAY_UNROLL
  for (int j = 0; j < 8; ++j) out.limb[j] = acc[8 + j];
  Normalise(out);
}

// Words of eight elements to limbs: limb j has the bits of `words` from 52 * j - offset on.
#define SLIPWAY_LIMB(j, k, shift)                                                              \
  out.limb[j] = _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[k], shift),               \
                                                 _mm512_slli_epi64(w[(k) + 1], 64 - (shift))), \
                                 Set1(kMask52));

SLIPWAY_IFMA_INLINE void LoadWords(__m512i (&words)[8], const Fp* in) {
  SLIPWAY_UNROLL
  for (int i = 0; i < 8; ++i) words[i] = _mm512_maskz_loadu_epi64(0x3f, in[i].limb);
  Transpose(words);
}

// The canonical elements at in[0..7], times 2^32: from Fp's factor 2^384 to 2^416. Below 2^32 p.
SLIPWAY_IFMA_INLINE void Load(Fp8& out, const Fp* in) {
  __m512i w[8];
  LoadWords(w, in);
  out.limb[0] = _mm512_and_si512(_mm512_slli_epi64(w[0], 32), Set1(kMask52));
  SLIPWAY_LIMB(1, 0, 20)
  SLIPWAY_LIMB(2, 1, 8)
  SLIPWAY_LIMB(3, 1, 60)
  SLIPWAY_LIMB(4, 2, 48)
  SLIPWAY_LIMB(5, 3, 36)
  SLIPWAY_LIMB(6, 4, 24)
  out.limb[7] = _mm512_srli_epi64(w[5], 12);
}

// The same as they are, with the factor 2^384: times a loaded value that gives Fp's form again.
SLIPWAY_IFMA_INLINE void LoadPlain(Fp8& out, const Fp* in) {
  __m512i w[8];
  LoadWords(w, in);
  out.limb[0] = _mm512_and_si512(w[0], Set1(kMask52));
  SLIPWAY_LIMB(1, 0, 52)
  SLIPWAY_LIMB(2, 1, 40)
  SLIPWAY_LIMB(3, 2, 28)
  SLIPWAY_LIMB(4, 3, 16)
  SLIPWAY_LIMB(5, 4, 4)
  SLIPWAY_LIMB(6, 4, 56)
  out.limb[7] = _mm512_srli_epi64(w[5], 44);
}
#undef SLIPWAY_LIMB

// out = a / 2^32 mod p, below 3p, for a <= 2^33 p: from the factor 2^416 back to Fp's 2^384.
SLIPWAY_IFMA_INLINE void Lower(Fp8& out, const Fp8& a) {
  __m512i acc[9] = {a.limb[0], a.limb[1], a.limb[2],
                    a.limb[3], a.limb[4], a.limb[5],
                    a.limb[6], a.limb[7], _mm512_setzero_si512()};
  // a + q * p is a multiple of 2^32 and below 2^416.
  const __m512i q = _mm512_and_si512(
      _mm512_madd52lo_epu64(_mm512_setzero_si512(), acc[0], Set1(kInverse52)), Set1(0xffffffff));
  SLIPWAY_UNROLL
  for (int j = 0; j < 8; ++j) MulAdd52(acc + j, Set1(kP52[j]), q);
  Fp8 b;
  SLIPWAY_UNROLL
  for (int j = 0; j < 8; ++j) b.limb[j] = acc[j];
  Normalise(b);
  SLIPWAY_UNROLL
  for (int j = 0; j < 7; ++j) {
    out.limb[j] = _mm512_and_si512(
        _mm512_or_si512(_mm512_srli_epi64(b.limb[j], 32), _mm512_slli_epi64(b.limb[j + 1], 20)),
        Set1(kMask52));
  }
  out.limb[7] = _mm512_srli_epi64(b.limb[7], 32);
}

// Canonical elements to rows: row i has the six words of element i.
SLIPWAY_IFMA_INLINE void ToRows(__m512i (&rows)[8], const Fp8& a) {
#define SLIPWAY_PACK(low, high, shift)                   \
  _mm512_or_si512(_mm512_srli_epi64(a.limb[low], shift), \
                  _mm512_slli_epi64(a.limb[high], 52 - (shift)))
  rows[0] = SLIPWAY_PACK(0, 1, 0);
  rows[1] = SLIPWAY_PACK(1, 2, 12);
  rows[2] = SLIPWAY_PACK(2, 3, 24);
  rows[3] = SLIPWAY_PACK(3, 4, 36);
  rows[4] = _mm512_or_si512(SLIPWAY_PACK(4, 5, 48), _mm512_slli_epi64(a.limb[6], 56));
  rows[5] = SLIPWAY_PACK(6, 7, 8);
#undef SLIPWAY_PACK
  rows[6] = _mm512_setzero_si512();
  rows[7] = _mm512_setzero_si512();
  Transpose(rows);
}

SLIPWAY_IFMA_INLINE void StoreRow(Fp& out, const __m512i& row) {
  _mm512_mask_storeu_epi64(out.limb, 0x3f, row);
}

// The rows of a / 2^32 mod p, canonical: of a value with the factor 2^416 in Fp's form. a <= 2^33
// p.
SLIPWAY_IFMA_INLINE void LowerToRows(__m512i (&rows)[8], const Fp8& a) {
  Fp8 lowered;
  Lower(lowered, a);
  SubtractModulus(lowered, kP52);
  SubtractModulus(lowered, kP52);
  ToRows(rows, lowered);
}

}  // namespace
}  // namespace slipway::bls12_381::internal

#endif
