// Integers of N 64-bit limbs, little-endian, and Montgomery's product over them: the portable
// kernels of both fields, and the helpers that the rest shares. Internal to this folder.
// Variable time throughout (see README.md). Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/mutant.h"

namespace slipway::bls12_381::internal {

using Uint128 = unsigned __int128;

// a + b + carry; `carry` becomes the carry out. Both carries are 0 or 1.
inline uint64_t AddCarry(uint64_t a, uint64_t b, uint64_t& carry) {
  const Uint128 sum = static_cast<Uint128>(a) + b + carry;
  carry = static_cast<uint64_t>(sum >> 64);
  return static_cast<uint64_t>(sum);
}

// a - b - borrow; `borrow` becomes the borrow out. Both are 0 or 1.
inline uint64_t SubBorrow(uint64_t a, uint64_t b, uint64_t& borrow) {
  const Uint128 difference = static_cast<Uint128>(a) - b - borrow;
  borrow = static_cast<uint64_t>(difference >> 64) & 1;
  return static_cast<uint64_t>(difference);
}

// low(a * b + c + carry); `carry` becomes the high half. Never overflows.
inline uint64_t MulAdd(uint64_t a, uint64_t b, uint64_t c, uint64_t& carry) {
  const Uint128 sum = static_cast<Uint128>(a) * b + c + carry;
  carry = static_cast<uint64_t>(sum >> 64);
  return static_cast<uint64_t>(sum);
}

// out = a + b, returns the carry. `out` may be a or b.
template <size_t N>
inline uint64_t AddLimbs(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  uint64_t carry = 0;
  for (size_t i = 0; i < N; ++i) out[i] = AddCarry(a[i], b[i], carry);
  return carry;
}

// out = a - b, returns the borrow. `out` may be a or b.
template <size_t N>
inline uint64_t SubLimbs(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  uint64_t borrow = 0;
  for (size_t i = 0; i < N; ++i) out[i] = SubBorrow(a[i], b[i], borrow);
  return borrow;
}

template <size_t N>
inline bool LessLimbs(const uint64_t* a, const uint64_t* b) {
  for (size_t i = N; i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i];
  }
  return false;
}

template <size_t N>
inline bool IsZeroLimbs(const uint64_t* a) {
  uint64_t any = 0;
  for (size_t i = 0; i < N; ++i) any |= a[i];
  return any == 0;
}

// out = a if a < modulus, else a - modulus; for a < 2 * modulus. `out` may be a.
template <size_t N>
inline void ReduceOnce(uint64_t* out, const uint64_t* a, const uint64_t* modulus) {
  uint64_t reduced[N];
  const uint64_t keep = 0 - SubLimbs<N>(reduced, a, modulus);  // all ones: a was smaller
  for (size_t i = 0; i < N; ++i) out[i] = (a[i] & keep) | (reduced[i] & ~keep);
}

// out = a + b mod modulus; a, b < modulus; 2 * modulus fits into N limbs.
template <size_t N>
inline void AddMod(uint64_t* out, const uint64_t* a, const uint64_t* b, const uint64_t* modulus) {
  uint64_t sum[N];
  AddLimbs<N>(sum, a, b);
  ReduceOnce<N>(out, sum, modulus);
}

// out = a - b mod modulus; a, b < modulus.
template <size_t N>
inline void SubMod(uint64_t* out, const uint64_t* a, const uint64_t* b, const uint64_t* modulus) {
  uint64_t difference[N];
  const uint64_t mask = 0 - SubLimbs<N>(difference, a, b);
  uint64_t carry = 0;
  for (size_t i = 0; i < N; ++i) out[i] = AddCarry(difference[i], modulus[i] & mask, carry);
}

// Montgomery's product by rows (Koc, Acar, Kaliski 1996, "coarsely integrated operand scanning"):
// out = a * b / 2^(64N) mod modulus, < modulus. Needs a * b < modulus * 2^(64N) and
// a + modulus < 2^(64N), by which no row carries out of N + 1 limbs. `inverse` is -1 / modulus
// mod 2^64. `out` may be a or b.
template <size_t N>
inline void MontgomeryMul(uint64_t* out, const uint64_t* a, const uint64_t* b,
                          const uint64_t* modulus, uint64_t inverse) {
  uint64_t t[N] = {};
  for (size_t i = 0; i < N; ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < N; ++j) t[j] = MulAdd(a[j], b[i], t[j], carry);
    const uint64_t top = carry;
    const uint64_t q = t[0] * inverse;
    carry = 0;
    MulAdd(q, modulus[0], t[0], carry);
    for (size_t j = 1; j < N; ++j) t[j - 1] = MulAdd(q, modulus[j], t[j], carry);
    t[N - 1] = top + carry;
  }
  if (SLIPWAY_MUTANT("bls-final-subtraction")) {
    for (size_t i = 0; i < N; ++i) out[i] = t[i];
    return;
  }
  ReduceOnce<N>(out, t, modulus);
}

// out[2N] = a * b. `out` is neither a nor b.
template <size_t N>
inline void MulFull(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  for (size_t i = 0; i < N; ++i) out[i] = 0;
  for (size_t i = 0; i < N; ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < N; ++j) out[i + j] = MulAdd(a[j], b[i], out[i + j], carry);
    out[i + N] = carry;
  }
}

// out = wide / 2^(64N) mod modulus, < modulus; wide has 2N limbs and is < modulus * 2^(64N).
template <size_t N>
inline void MontgomeryReduce(uint64_t* out, const uint64_t* wide, const uint64_t* modulus,
                             uint64_t inverse) {
  uint64_t t[2 * N];
  for (size_t i = 0; i < 2 * N; ++i) t[i] = wide[i];
  uint64_t high = 0;
  for (size_t i = 0; i < N; ++i) {
    const uint64_t q = t[i] * inverse;
    uint64_t carry = 0;
    for (size_t j = 0; j < N; ++j) t[i + j] = MulAdd(q, modulus[j], t[i + j], carry);
    t[i + N] = AddCarry(t[i + N], carry, high);
  }
  ReduceOnce<N>(out, t + N, modulus);
}

}  // namespace slipway::bls12_381::internal

// Compilers that do not optimise give each operand in memory a register for its address, and run
// out of them.
#if defined(__x86_64__) && defined(__OPTIMIZE__)
#include "bls12_381/limbs_x86.h"
#endif
