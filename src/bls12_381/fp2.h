// Fp2 = Fp[u] / (u^2 + 1), the field of G2's coordinates and the ground of the tower.
// Variable time. Thread-safe: pure functions of their arguments.
#pragma once

#include <optional>

#include "bls12_381/fp.h"
#include "bls12_381/fp_wide.h"

namespace slipway::bls12_381 {

// c0 + c1 * u, both canonical.
struct Fp2 {
  Fp c0, c1;

  static constexpr Fp2 Zero() { return {Fp::Zero(), Fp::Zero()}; }
  static constexpr Fp2 One() { return {Fp::One(), Fp::Zero()}; }

  bool IsZero() const { return c0.IsZero() && c1.IsZero(); }
  // By c1 or, where that is zero, by c0 (K54).
  bool IsLexicographicallyLargest() const {
    return c1.IsZero() ? c0.IsLexicographicallyLargest() : c1.IsLexicographicallyLargest();
  }

  Fp2 Square() const;
  Fp2 Double() const;
  Fp2 Inverse() const;  // zero for zero
  // One of the two roots, or nullopt for a non-square.
  std::optional<Fp2> Sqrt() const;
  // c0 - c1 * u, which is also the p-th power.
  Fp2 Conjugate() const { return {c0, -c1}; }
  // Times 1 + u, of which the tower takes a cube root.
  Fp2 MulByNonresidue() const { return {c0 - c1, c0 + c1}; }

  friend bool operator==(const Fp2& a, const Fp2& b) { return a.c0 == b.c0 && a.c1 == b.c1; }
  friend bool operator!=(const Fp2& a, const Fp2& b) { return !(a == b); }
};

inline Fp2 operator+(const Fp2& a, const Fp2& b) { return {a.c0 + b.c0, a.c1 + b.c1}; }
inline Fp2 operator-(const Fp2& a, const Fp2& b) { return {a.c0 - b.c0, a.c1 - b.c1}; }
inline Fp2 operator-(const Fp2& a) { return {-a.c0, -a.c1}; }
inline Fp2 operator*(const Fp2& a, const Fp& b) { return {a.c0 * b, a.c1 * b}; }
inline Fp2 Fp2::Double() const { return *this + *this; }

// A product in Fp2 before its two reductions; both parts below p * 2^384.
struct Fp2Wide {
  FpWide c0, c1;
};
inline Fp2Wide operator+(const Fp2Wide& a, const Fp2Wide& b) {
  return {Add(a.c0, b.c0), Add(a.c1, b.c1)};
}
inline Fp2Wide operator-(const Fp2Wide& a, const Fp2Wide& b) {
  return {Sub(a.c0, b.c0), Sub(a.c1, b.c1)};
}
inline Fp2Wide MulByNonresidue(const Fp2Wide& a) { return {Sub(a.c0, a.c1), Add(a.c0, a.c1)}; }
inline Fp2 Reduce(const Fp2Wide& a) { return {Reduce(a.c0), Reduce(a.c1)}; }

// Karatsuba: three wide products. The product of the sums is < 4 p^2 and what is taken from it is
// no larger than it, so that only c0 can go below zero.
inline Fp2Wide MulWide(const Fp2& a, const Fp2& b) {
  const FpWide low = MulWide(a.c0, b.c0);
  const FpWide high = MulWide(a.c1, b.c1);
  const FpWide cross = MulWide(AddLazy(a.c0, a.c1), AddLazy(b.c0, b.c1));
  return {Sub(low, high), SubUnreduced(SubUnreduced(cross, low), high)};
}

inline Fp2 operator*(const Fp2& a, const Fp2& b) { return Reduce(MulWide(a, b)); }

// (c0 + c1)(c0 - c1) and 2 c0 c1: both factors of the first are < 2p.
inline Fp2 Fp2::Square() const { return {AddLazy(c0, c1) * SubLazy(c0, c1), AddLazy(c0, c0) * c1}; }

}  // namespace slipway::bls12_381
