// Products of Fp before their reduction, for towers: add and subtract wide values, reduce once.
// Bounds are the caller's part; each function names what it takes and gives. p * 2^384 = 9.84 p^2.
#pragma once

#include <cstdint>

#include "bls12_381/fp.h"

namespace slipway::bls12_381 {

// An integer of 768 bits, below p * 2^384 unless a function says otherwise.
struct FpWide {
  uint64_t limb[12];
};

// a * b for any a, b; below p * 2^384 for operands both < 3p, or < 4p and < 2p.
inline FpWide MulWide(const Fp& a, const Fp& b) {
  FpWide product;
  internal::g_fp_kernels.mul_wide(product.limb, a.limb, b.limb);
  return product;
}
inline FpWide SquareWide(const Fp& a) {
  FpWide square;
  internal::g_fp_kernels.sqr_wide(square.limb, a.limb);
  return square;
}

// a / 2^384 mod p, canonical: the Montgomery product that `a` stands for. a < p * 2^384.
inline Fp Reduce(const FpWide& a) {
  SLIPWAY_CHECK_BOUND(internal::LessLimbs<6>(a.limb + 6, kFpModulus));
  Fp reduced;
  internal::g_fp_kernels.redc_wide(reduced.limb, a.limb);
  return reduced;
}

// a + b as integers: the bounds add up.
inline FpWide AddUnreduced(const FpWide& a, const FpWide& b) {
  FpWide sum;
  [[maybe_unused]] const uint64_t carry = internal::AddLimbs<12>(sum.limb, a.limb, b.limb);
  SLIPWAY_CHECK_BOUND(carry == 0);
  return sum;
}
// a - b as integers, for a >= b.
inline FpWide SubUnreduced(const FpWide& a, const FpWide& b) {
  FpWide difference;
  [[maybe_unused]] const uint64_t borrow = internal::SubLimbs<12>(difference.limb, a.limb, b.limb);
  SLIPWAY_CHECK_BOUND(borrow == 0);
  return difference;
}
// a + b modulo p * 2^384, below it; a, b < p * 2^384.
inline FpWide Add(const FpWide& a, const FpWide& b) {
  FpWide sum;
  internal::AddLimbs<12>(sum.limb, a.limb, b.limb);
  internal::ReduceOnce<6>(sum.limb + 6, sum.limb + 6, kFpModulus);
  return sum;
}
// a - b modulo p * 2^384, below it; a, b < p * 2^384.
inline FpWide Sub(const FpWide& a, const FpWide& b) {
  FpWide difference;
  const uint64_t mask = 0 - internal::SubLimbs<12>(difference.limb, a.limb, b.limb);
  uint64_t correction[6];
  for (int i = 0; i < 6; ++i) correction[i] = kFpModulus[i] & mask;
  internal::AddLimbs<6>(difference.limb + 6, difference.limb + 6, correction);
  return difference;
}

}  // namespace slipway::bls12_381
