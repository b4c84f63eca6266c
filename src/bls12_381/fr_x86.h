// Fr's Montgomery product for x86-64 with BMI2 and ADX, inline for the loops of transforms. Only
// where internal::g_use_adx. The scheme is that of fp_adx.S: rows of a product and of its reduction
// in turn, low halves through OF, high halves through CF. Internal to this folder.
#pragma once

#include <cstdint>

namespace slipway::bls12_381::internal {

// clang-format off
// t0, t1 += lo, hi of rdx * x. The no-ops: see fp_adx.S.
#define SLIPWAY_FR_MAC(x, t0, t1)  \
  "mulxq %[" x "], %[lo], %[hi]\n\t" "adoxq %[lo], %[" t0 "]\n\t" \
  "adcxq %[hi], %[" t1 "]\n\tnop\n\tnop\n\t"
// t0..t4 += rdx * (four limbs x).
#define SLIPWAY_FR_ROW(x, t0, t1, t2, t3, t4)                                   \
  "xorl %k[lo], %k[lo]\n\t"                                                     \
  SLIPWAY_FR_MAC(x "0", t0, t1) SLIPWAY_FR_MAC(x "1", t1, t2)                   \
  SLIPWAY_FR_MAC(x "2", t2, t3) SLIPWAY_FR_MAC(x "3", t3, t4)                   \
  "adoxq %[zero], %[" t4 "]\n\t"
// t1..t4 = (t0..t4 + q * r) / 2^64.
#define SLIPWAY_FR_REDUCE(t0, t1, t2, t3, t4)                                   \
  "movq %[inverse], %%rdx\n\t" "imulq %[" t0 "], %%rdx\n\t"                     \
  SLIPWAY_FR_ROW("m", t0, t1, t2, t3, t4)
// t1..t4 = (t0..t3 + a * b + q * r) / 2^64 for one limb b.
#define SLIPWAY_FR_STEP(b, t0, t1, t2, t3, t4)                                  \
  "movq %[" b "], %%rdx\n\t" "movq %[zero], %[" t4 "]\n\t"                      \
  SLIPWAY_FR_ROW("a", t0, t1, t2, t3, t4) SLIPWAY_FR_REDUCE(t0, t1, t2, t3, t4)
// clang-format on

// out = a * b / 2^256 mod r, canonical; a < r, or b < r and a any value below 2^256 - r.
inline void FrMulAdx(uint64_t* out, const uint64_t* a, const uint64_t* b, const uint64_t* modulus,
                     const uint64_t& inverse) {
  uint64_t t0, t1, t2, t3, t4, lo, hi, zero;
  asm("xorl %k[zero], %k[zero]\n\t"
      "movq %[b0], %%rdx\n\t"
      "mulxq %[a0], %[t0], %[t1]\n\t"
      "mulxq %[a1], %[lo], %[t2]\n\t"
      "addq %[lo], %[t1]\n\t"
      "mulxq %[a2], %[lo], %[t3]\n\t"
      "adcq %[lo], %[t2]\n\t"
      "mulxq %[a3], %[lo], %[t4]\n\t"
      "adcq %[lo], %[t3]\n\t"
      "adcq %[zero], %[t4]\n\t"                            //
      SLIPWAY_FR_REDUCE("t0", "t1", "t2", "t3", "t4")      //
      SLIPWAY_FR_STEP("b1", "t1", "t2", "t3", "t4", "t0")  //
      SLIPWAY_FR_STEP("b2", "t2", "t3", "t4", "t0", "t1")  //
      SLIPWAY_FR_STEP("b3", "t3", "t4", "t0", "t1", "t2")  //
      "movq %[t4], %[t3]\n\t"
      "subq %[m0], %[t3]\n\t"
      "movq %[t0], %[lo]\n\t"
      "sbbq %[m1], %[lo]\n\t"
      "movq %[t1], %[hi]\n\t"
      "sbbq %[m2], %[hi]\n\t"
      "movq %[t2], %%rdx\n\t"
      "sbbq %[m3], %%rdx\n\t"
      "cmovncq %[t3], %[t4]\n\t"
      "cmovncq %[lo], %[t0]\n\t"
      "cmovncq %[hi], %[t1]\n\t"
      "cmovncq %%rdx, %[t2]"
      : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),
        [lo] "=&r"(lo), [hi] "=&r"(hi), [zero] "=&r"(zero)
      : [a0] "r"(a[0]), [a1] "m"(a[1]), [a2] "m"(a[2]), [a3] "m"(a[3]), [b0] "m"(b[0]),
        [b1] "m"(b[1]), [b2] "m"(b[2]), [b3] "m"(b[3]), [m0] "m"(modulus[0]), [m1] "m"(modulus[1]),
        [m2] "m"(modulus[2]), [m3] "m"(modulus[3]), [inverse] "m"(inverse)
      : "rdx", "cc");
  out[0] = t4;
  out[1] = t0;
  out[2] = t1;
  out[3] = t2;
}

#undef SLIPWAY_FR_STEP
#undef SLIPWAY_FR_REDUCE
#undef SLIPWAY_FR_ROW
#undef SLIPWAY_FR_MAC

}  // namespace slipway::bls12_381::internal
