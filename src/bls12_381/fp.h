// The base field of BLS12-381, integers modulo the 381-bit prime p, in Montgomery form.
// Variable time: values here are public (README.md). Thread-safe: pure functions of their
// arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "base/check.h"
#include "bls12_381/kernels.h"
#include "bls12_381/limbs.h"

namespace slipway::bls12_381 {

// p, little-endian limbs.
[[gnu::visibility("hidden")]] inline constexpr uint64_t kFpModulus[6] = {
    0xb9feffffffffaaab, 0x1eabfffeb153ffff, 0x6730d2a0f6b0f624,
    0x64774b84f38512bf, 0x4b1ba7b6434bacd7, 0x1a0111ea397fe69a};
// -1 / p mod 2^64.
[[gnu::visibility("hidden")]] inline constexpr uint64_t kFpInverse = 0x89f3fffcfffcfffd;

// x is stored as x * 2^384 mod p, always canonical (< p), unless a function says otherwise: p
// leaves three bits free, so that the products take operands that were not reduced (see below).
struct Fp {
  static constexpr size_t kBytes = 48;

  uint64_t limb[6];

  static constexpr Fp Zero() { return Fp{{0, 0, 0, 0, 0, 0}}; }
  static constexpr Fp One() {
    return Fp{{0x760900000002fffd, 0xebf4000bc40c0002, 0x5f48985753c758ba, 0x77ce585370525745,
               0x5c071a97a256ec6d, 0x15f65ec3fa80e493}};
  }
  static Fp FromUint64(uint64_t value);
  // From the plain integer, little-endian limbs, < p.
  static Fp FromLimbs(const uint64_t (&plain)[6]);
  // From 48 big-endian bytes; nullopt if the integer is not < p.
  static std::optional<Fp> FromBytes(absl::Span<const uint8_t> bytes);
  // 48 big-endian bytes of the canonical integer.
  void ToBytes(absl::Span<uint8_t> bytes) const;
  // The plain integer, out of Montgomery form.
  void ToLimbs(uint64_t (&plain)[6]) const;

  bool IsZero() const { return internal::IsZeroLimbs<6>(limb); }
  bool IsOne() const { return *this == One(); }
  // Whether the integer is > (p - 1) / 2.
  bool IsLexicographicallyLargest() const;

  Fp Square() const;
  Fp Double() const;
  Fp Half() const;     // x / 2
  Fp Inverse() const;  // zero for zero
  // One of the two roots, or nullopt for a non-square.
  std::optional<Fp> Sqrt() const;
  // x to the power of an integer in little-endian limbs.
  Fp Pow(absl::Span<const uint64_t> exponent) const;

  friend bool operator==(const Fp& a, const Fp& b) {
    uint64_t differ = 0;
    for (int i = 0; i < 6; ++i) differ |= a.limb[i] ^ b.limb[i];
    return differ == 0;
  }
  friend bool operator!=(const Fp& a, const Fp& b) { return !(a == b); }
};

// Sums and differences of canonical values, canonical.
inline Fp operator+(const Fp& a, const Fp& b) {
  Fp sum;
  internal::AddMod<6>(sum.limb, a.limb, b.limb, kFpModulus);
  return sum;
}
inline Fp operator-(const Fp& a, const Fp& b) {
  Fp difference;
  internal::SubMod<6>(difference.limb, a.limb, b.limb, kFpModulus);
  return difference;
}
inline Fp operator-(const Fp& a) { return Fp::Zero() - a; }
inline Fp Fp::Double() const { return *this + *this; }

namespace internal {
// Whether a * b < p * 2^384, as far as the top limbs tell: they do for operands up to 3p each or up
// to 4p and 2p. Builds for tests ask on every call, the release does not.
inline bool IsInProductBound(const Fp& a, const Fp& b) {
  const Uint128 above =
      (static_cast<Uint128>(a.limb[5]) + 1) * (static_cast<Uint128>(b.limb[5]) + 1);
  return above <= static_cast<Uint128>(kFpModulus[5]) << 64;
}
}  // namespace internal

#ifdef NDEBUG
#define SLIPWAY_CHECK_BOUND(condition) static_cast<void>(0)
#else
#define SLIPWAY_CHECK_BOUND(condition) SLIPWAY_CHECK(condition)
#endif

// Canonical product. Operands may be lazy (AddLazy): a < 4p, and a * b < p * 2^384 = 9.8 p^2.
inline Fp operator*(const Fp& a, const Fp& b) {
  SLIPWAY_CHECK_BOUND(internal::IsInProductBound(a, b));
  Fp product;
  internal::g_fp_kernels.mul(product.limb, a.limb, b.limb);
  return product;
}
// *this < 3p.
inline Fp Fp::Square() const {
  SLIPWAY_CHECK_BOUND(internal::IsInProductBound(*this, *this));
  Fp square;
  internal::g_fp_kernels.sqr(square.limb, limb);
  return square;
}
inline Fp& operator+=(Fp& a, const Fp& b) { return a = a + b; }
inline Fp& operator-=(Fp& a, const Fp& b) { return a = a - b; }
inline Fp& operator*=(Fp& a, const Fp& b) { return a = a * b; }

// a + b, not reduced: its bound is the sum of both bounds, for one of the products to take.
inline Fp AddLazy(const Fp& a, const Fp& b) {
  Fp sum;
  [[maybe_unused]] const uint64_t carry = internal::AddLimbs<6>(sum.limb, a.limb, b.limb);
  SLIPWAY_CHECK_BOUND(carry == 0);
  return sum;
}
// a - b + p for b <= p: in (0, bound of a + p).
inline Fp SubLazy(const Fp& a, const Fp& b) {
  Fp complement;
  internal::SubLimbs<6>(complement.limb, kFpModulus, b.limb);
  return AddLazy(a, complement);
}

// Each element of `values` becomes its inverse; zeros stay zero. One inversion for all.
void BatchInverse(absl::Span<Fp> values);

// out[i] = a[i] * b[i], canonical, of canonical values; spans of one length. `out` may be a or b.
// This is where the vector back end works: worth it from 8 elements on.
void MulBatch(absl::Span<Fp> out, absl::Span<const Fp> a, absl::Span<const Fp> b);
void SquareBatch(absl::Span<Fp> out, absl::Span<const Fp> a);

}  // namespace slipway::bls12_381
