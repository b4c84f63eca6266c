// The sums of limbs.h for x86-64: compilers keep a carry in a register where the processor has a
// flag for it, which takes eight times as long. No instruction here is missing on any x86-64.
// Internal to this folder; included by limbs.h alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bls12_381/limbs.h"

namespace slipway::bls12_381::internal {

// clang-format off
// `first` on limb 0, `next` on the others, from x to t: a chain of carries.
#define SLIPWAY_CHAIN4(first, next, x, t)                                               \
  first "q %[" x "0], %[" t "0]\n\t" next "q %[" x "1], %[" t "1]\n\t"                  \
  next "q %[" x "2], %[" t "2]\n\t" next "q %[" x "3], %[" t "3]\n\t"
#define SLIPWAY_CHAIN6(first, next, x, t) SLIPWAY_CHAIN4(first, next, x, t)             \
  next "q %[" x "4], %[" t "4]\n\t" next "q %[" x "5], %[" t "5]\n\t"
// u = t - m, then t = u unless that borrowed.
#define SLIPWAY_LESS(op, i) "movq %[t" i "], %[u" i "]\n\t" op "q %[m" i "], %[u" i "]\n\t"
#define SLIPWAY_TAKE(i) "cmovncq %[u" i "], %[t" i "]\n\t"
// Operands: each limb of an array by name.
#define SLIPWAY_LOAD4(t, a) uint64_t t##0 = (a)[0], t##1 = (a)[1], t##2 = (a)[2], t##3 = (a)[3]
#define SLIPWAY_LOAD6(t, a) SLIPWAY_LOAD4(t, a), t##4 = (a)[4], t##5 = (a)[5]
#define SLIPWAY_INOUT4(t) [t##0] "+&r"(t##0), [t##1] "+&r"(t##1), [t##2] "+&r"(t##2), [t##3] "+&r"(t##3)
#define SLIPWAY_INOUT6(t) SLIPWAY_INOUT4(t), [t##4] "+&r"(t##4), [t##5] "+&r"(t##5)
#define SLIPWAY_OUT4(t) [t##0] "=&r"(t##0), [t##1] "=&r"(t##1), [t##2] "=&r"(t##2), [t##3] "=&r"(t##3)
#define SLIPWAY_OUT6(t) SLIPWAY_OUT4(t), [t##4] "=&r"(t##4), [t##5] "=&r"(t##5)
#define SLIPWAY_MEMORY4(x, b) [x##0] "m"((b)[0]), [x##1] "m"((b)[1]), [x##2] "m"((b)[2]), [x##3] "m"((b)[3])
#define SLIPWAY_MEMORY6(x, b) SLIPWAY_MEMORY4(x, b), [x##4] "m"((b)[4]), [x##5] "m"((b)[5])
#define SLIPWAY_ANY4(x) [x##0] "rm"(x##0), [x##1] "rm"(x##1), [x##2] "rm"(x##2), [x##3] "rm"(x##3)
#define SLIPWAY_ANY6(x) SLIPWAY_ANY4(x), [x##4] "rm"(x##4), [x##5] "rm"(x##5)
#define SLIPWAY_STORE4(out, t) (out)[0] = t##0, (out)[1] = t##1, (out)[2] = t##2, (out)[3] = t##3
#define SLIPWAY_STORE6(out, t) SLIPWAY_STORE4(out, t), (out)[4] = t##4, (out)[5] = t##5
// clang-format on

template <>
inline uint64_t AddLimbs<6>(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  SLIPWAY_LOAD6(t, a);
  uint64_t carry;
  asm(SLIPWAY_CHAIN6("add", "adc", "b", "t") "sbbq %[carry], %[carry]"
      : SLIPWAY_INOUT6(t), [carry] "=&r"(carry)
      : SLIPWAY_MEMORY6(b, b)
      : "cc");
  SLIPWAY_STORE6(out, t);
  return carry & 1;
}

template <>
inline uint64_t SubLimbs<6>(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  SLIPWAY_LOAD6(t, a);
  uint64_t carry;
  asm(SLIPWAY_CHAIN6("sub", "sbb", "b", "t") "sbbq %[carry], %[carry]"
      : SLIPWAY_INOUT6(t), [carry] "=&r"(carry)
      : SLIPWAY_MEMORY6(b, b)
      : "cc");
  SLIPWAY_STORE6(out, t);
  return carry & 1;
}

// The upper half continues the carry of the lower one, which comes in as a mask.
template <>
inline uint64_t AddLimbs<12>(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  uint64_t carry = 0 - AddLimbs<6>(out, a, b);
  SLIPWAY_LOAD6(t, a + 6);
  asm("addq %[carry], %[carry]\n\t" SLIPWAY_CHAIN6("adc", "adc", "b", "t") "sbbq %[carry], %[carry]"
      : SLIPWAY_INOUT6(t), [carry] "+&r"(carry)
      : SLIPWAY_MEMORY6(b, b + 6)
      : "cc");
  SLIPWAY_STORE6(out + 6, t);
  return carry & 1;
}

// The upper half continues the carry of the lower one, which comes in as a mask.
template <>
inline uint64_t SubLimbs<12>(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  uint64_t carry = 0 - SubLimbs<6>(out, a, b);
  SLIPWAY_LOAD6(t, a + 6);
  asm("addq %[carry], %[carry]\n\t" SLIPWAY_CHAIN6("sbb", "sbb", "b", "t") "sbbq %[carry], %[carry]"
      : SLIPWAY_INOUT6(t), [carry] "+&r"(carry)
      : SLIPWAY_MEMORY6(b, b + 6)
      : "cc");
  SLIPWAY_STORE6(out + 6, t);
  return carry & 1;
}

template <>
inline void ReduceOnce<4>(uint64_t* out, const uint64_t* a, const uint64_t* modulus) {
  SLIPWAY_LOAD4(t, a);
  uint64_t u0, u1, u2, u3;
  asm(SLIPWAY_LESS("sub", "0") SLIPWAY_LESS("sbb", "1") SLIPWAY_LESS("sbb", "2") SLIPWAY_LESS(
          "sbb", "3") SLIPWAY_TAKE("0") SLIPWAY_TAKE("1") SLIPWAY_TAKE("2") SLIPWAY_TAKE("3")
      : SLIPWAY_INOUT4(t), SLIPWAY_OUT4(u)
      : SLIPWAY_MEMORY4(m, modulus)
      : "cc");
  SLIPWAY_STORE4(out, t);
}

template <>
inline void AddMod<4>(uint64_t* out, const uint64_t* a, const uint64_t* b,
                      const uint64_t* modulus) {
  SLIPWAY_LOAD4(t, a);
  asm(SLIPWAY_CHAIN4("add", "adc", "b", "t") : SLIPWAY_INOUT4(t) : SLIPWAY_MEMORY4(b, b) : "cc");
  uint64_t u0, u1, u2, u3;
  asm(SLIPWAY_LESS("sub", "0") SLIPWAY_LESS("sbb", "1") SLIPWAY_LESS("sbb", "2") SLIPWAY_LESS(
          "sbb", "3") SLIPWAY_TAKE("0") SLIPWAY_TAKE("1") SLIPWAY_TAKE("2") SLIPWAY_TAKE("3")
      : SLIPWAY_INOUT4(t), SLIPWAY_OUT4(u)
      : SLIPWAY_MEMORY4(m, modulus)
      : "cc");
  SLIPWAY_STORE4(out, t);
}

template <>
inline void SubMod<4>(uint64_t* out, const uint64_t* a, const uint64_t* b,
                      const uint64_t* modulus) {
  SLIPWAY_LOAD4(t, a);
  uint64_t mask;
  asm(SLIPWAY_CHAIN4("sub", "sbb", "b", "t") "sbbq %[mask], %[mask]"
      : SLIPWAY_INOUT4(t), [mask] "=&r"(mask)
      : SLIPWAY_MEMORY4(b, b)
      : "cc");
  const uint64_t u0 = modulus[0] & mask, u1 = modulus[1] & mask, u2 = modulus[2] & mask,
                 u3 = modulus[3] & mask;
  asm(SLIPWAY_CHAIN4("add", "adc", "u", "t") : SLIPWAY_INOUT4(t) : SLIPWAY_ANY4(u) : "cc");
  SLIPWAY_STORE4(out, t);
}

template <>
inline void ReduceOnce<6>(uint64_t* out, const uint64_t* a, const uint64_t* modulus) {
  SLIPWAY_LOAD6(t, a);
  uint64_t u0, u1, u2, u3, u4, u5;
  asm(SLIPWAY_LESS("sub", "0") SLIPWAY_LESS("sbb", "1") SLIPWAY_LESS("sbb", "2") SLIPWAY_LESS(
          "sbb", "3") SLIPWAY_LESS("sbb", "4") SLIPWAY_LESS("sbb", "5") SLIPWAY_TAKE("0")
          SLIPWAY_TAKE("1") SLIPWAY_TAKE("2") SLIPWAY_TAKE("3") SLIPWAY_TAKE("4") SLIPWAY_TAKE("5")
      : SLIPWAY_INOUT6(t), SLIPWAY_OUT6(u)
      : SLIPWAY_MEMORY6(m, modulus)
      : "cc");
  SLIPWAY_STORE6(out, t);
}

template <>
inline void AddMod<6>(uint64_t* out, const uint64_t* a, const uint64_t* b,
                      const uint64_t* modulus) {
  SLIPWAY_LOAD6(t, a);
  asm(SLIPWAY_CHAIN6("add", "adc", "b", "t") : SLIPWAY_INOUT6(t) : SLIPWAY_MEMORY6(b, b) : "cc");
  uint64_t u0, u1, u2, u3, u4, u5;
  asm(SLIPWAY_LESS("sub", "0") SLIPWAY_LESS("sbb", "1") SLIPWAY_LESS("sbb", "2") SLIPWAY_LESS(
          "sbb", "3") SLIPWAY_LESS("sbb", "4") SLIPWAY_LESS("sbb", "5") SLIPWAY_TAKE("0")
          SLIPWAY_TAKE("1") SLIPWAY_TAKE("2") SLIPWAY_TAKE("3") SLIPWAY_TAKE("4") SLIPWAY_TAKE("5")
      : SLIPWAY_INOUT6(t), SLIPWAY_OUT6(u)
      : SLIPWAY_MEMORY6(m, modulus)
      : "cc");
  SLIPWAY_STORE6(out, t);
}

template <>
inline void SubMod<6>(uint64_t* out, const uint64_t* a, const uint64_t* b,
                      const uint64_t* modulus) {
  SLIPWAY_LOAD6(t, a);
  uint64_t mask;
  asm(SLIPWAY_CHAIN6("sub", "sbb", "b", "t") "sbbq %[mask], %[mask]"
      : SLIPWAY_INOUT6(t), [mask] "=&r"(mask)
      : SLIPWAY_MEMORY6(b, b)
      : "cc");
  const uint64_t u0 = modulus[0] & mask, u1 = modulus[1] & mask, u2 = modulus[2] & mask,
                 u3 = modulus[3] & mask, u4 = modulus[4] & mask, u5 = modulus[5] & mask;
  asm(SLIPWAY_CHAIN6("add", "adc", "u", "t") : SLIPWAY_INOUT6(t) : SLIPWAY_ANY6(u) : "cc");
  SLIPWAY_STORE6(out, t);
}

#undef SLIPWAY_CHAIN4
#undef SLIPWAY_CHAIN6
#undef SLIPWAY_LESS
#undef SLIPWAY_TAKE
#undef SLIPWAY_LOAD4
#undef SLIPWAY_LOAD6
#undef SLIPWAY_INOUT4
#undef SLIPWAY_INOUT6
#undef SLIPWAY_OUT4
#undef SLIPWAY_OUT6
#undef SLIPWAY_MEMORY4
#undef SLIPWAY_MEMORY6
#undef SLIPWAY_ANY4
#undef SLIPWAY_ANY6
#undef SLIPWAY_STORE4
#undef SLIPWAY_STORE6

}  // namespace slipway::bls12_381::internal
