// The scalar field of BLS12-381, integers modulo the 255-bit prime r, in Montgomery form.
// Variable time: values here are public (README.md). Thread-safe: pure functions of their
// arguments.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "bls12_381/kernels.h"
#include "bls12_381/limbs.h"
#if defined(__x86_64__) && defined(__OPTIMIZE__)  // see limbs.h
#include "bls12_381/fr_x86.h"
#endif

namespace slipway::bls12_381 {

// r, little-endian limbs.
[[gnu::visibility("hidden")]] inline constexpr uint64_t kFrModulus[4] = {
    0xffffffff00000001, 0x53bda402fffe5bfe, 0x3339d80809a1d805, 0x73eda753299d7d48};
// -1 / r mod 2^64.
[[gnu::visibility("hidden")]] inline constexpr uint64_t kFrInverse = 0xfffffffeffffffff;
// r - 1 = odd * 2^32: there are roots of unity of order 2^32.
inline constexpr int kFrTwoAdicity = 32;

// x is stored as x * 2^256 mod r, always canonical (< r).
struct Fr {
  static constexpr size_t kBytes = 32;

  uint64_t limb[4];

  static constexpr Fr Zero() { return Fr{{0, 0, 0, 0}}; }
  static constexpr Fr One() {
    return Fr{{0x00000001fffffffe, 0x5884b7fa00034802, 0x998c4fefecbc4ff5, 0x1824b159acc5056f}};
  }
  static Fr FromUint64(uint64_t value);
  // From the plain integer, little-endian limbs: any 256-bit value, taken modulo r.
  static Fr FromLimbs(const std::array<uint64_t, 4>& plain);
  // From 32 big-endian bytes; nullopt if the integer is not < r (K53).
  static std::optional<Fr> FromBytes(absl::Span<const uint8_t> bytes);
  // From any number of big-endian bytes, modulo r: a hash becomes a scalar (K53).
  static Fr FromBytesReduced(absl::Span<const uint8_t> bytes);
  // 32 big-endian bytes of the canonical integer.
  void ToBytes(absl::Span<uint8_t> bytes) const;
  // The plain integer, out of Montgomery form.
  std::array<uint64_t, 4> ToLimbs() const;
  // w with w^(2^log2_size) = 1 and no smaller power of two, 7^((r - 1) / 2^log2_size);
  // 0 <= log2_size <= 32.
  static Fr RootOfUnity(int log2_size);

  bool IsZero() const { return internal::IsZeroLimbs<4>(limb); }
  bool IsOne() const { return *this == One(); }

  Fr Square() const;
  Fr Double() const;
  Fr Inverse() const;  // zero for zero
  // One of the two roots, or nullopt for a non-square.
  std::optional<Fr> Sqrt() const;
  // x to the power of an integer in little-endian limbs.
  Fr Pow(absl::Span<const uint64_t> exponent) const;

  friend bool operator==(const Fr& a, const Fr& b) {
    uint64_t differ = 0;
    for (int i = 0; i < 4; ++i) differ |= a.limb[i] ^ b.limb[i];
    return differ == 0;
  }
  friend bool operator!=(const Fr& a, const Fr& b) { return !(a == b); }
};

namespace internal {
// MontgomeryMul, out of line.
void FrMulPortable(uint64_t* out, const uint64_t* a, const uint64_t* b);
}  // namespace internal

inline Fr operator+(const Fr& a, const Fr& b) {
  Fr sum;
  internal::AddMod<4>(sum.limb, a.limb, b.limb, kFrModulus);
  return sum;
}
inline Fr operator-(const Fr& a, const Fr& b) {
  Fr difference;
  internal::SubMod<4>(difference.limb, a.limb, b.limb, kFrModulus);
  return difference;
}
inline Fr operator-(const Fr& a) { return Fr::Zero() - a; }
inline Fr Fr::Double() const { return *this + *this; }

inline Fr operator*(const Fr& a, const Fr& b) {
  Fr product;
#if defined(__x86_64__) && defined(__OPTIMIZE__)
  if (__builtin_expect(internal::g_use_adx, 1)) {
    internal::FrMulAdx(product.limb, a.limb, b.limb, kFrModulus, kFrInverse);
    return product;
  }
#endif
  internal::FrMulPortable(product.limb, a.limb, b.limb);
  return product;
}
inline Fr Fr::Square() const { return *this * *this; }
inline Fr& operator+=(Fr& a, const Fr& b) { return a = a + b; }
inline Fr& operator-=(Fr& a, const Fr& b) { return a = a - b; }
inline Fr& operator*=(Fr& a, const Fr& b) { return a = a * b; }

// Each element of `values` becomes its inverse; zeros stay zero. One inversion for all.
void BatchInverse(absl::Span<Fr> values);

}  // namespace slipway::bls12_381
