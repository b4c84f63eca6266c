// The upper tower: Fp6 = Fp2[v] / (v^3 - (1 + u)) and Fp12 = Fp6[w] / (w^2 - v), where pairings
// take their values. Variable time. Thread-safe: pure functions of their arguments.
#pragma once

#include "bls12_381/fp2.h"

namespace slipway::bls12_381 {

// c0 + c1 * v + c2 * v^2.
struct Fp6 {
  Fp2 c0, c1, c2;

  static constexpr Fp6 Zero() { return {Fp2::Zero(), Fp2::Zero(), Fp2::Zero()}; }
  static constexpr Fp6 One() { return {Fp2::One(), Fp2::Zero(), Fp2::Zero()}; }

  bool IsZero() const { return c0.IsZero() && c1.IsZero() && c2.IsZero(); }
  Fp6 Inverse() const;  // zero for zero
  // Times v.
  Fp6 MulByNonresidue() const { return {c2.MulByNonresidue(), c0, c1}; }

  friend bool operator==(const Fp6& a, const Fp6& b) {
    return a.c0 == b.c0 && a.c1 == b.c1 && a.c2 == b.c2;
  }
  friend bool operator!=(const Fp6& a, const Fp6& b) { return !(a == b); }
};

inline Fp6 operator+(const Fp6& a, const Fp6& b) { return {a.c0 + b.c0, a.c1 + b.c1, a.c2 + b.c2}; }
inline Fp6 operator-(const Fp6& a, const Fp6& b) { return {a.c0 - b.c0, a.c1 - b.c1, a.c2 - b.c2}; }
inline Fp6 operator-(const Fp6& a) { return {-a.c0, -a.c1, -a.c2}; }
Fp6 operator*(const Fp6& a, const Fp6& b);

// c0 + c1 * w.
struct Fp12 {
  Fp6 c0, c1;

  static constexpr Fp12 Zero() { return {Fp6::Zero(), Fp6::Zero()}; }
  static constexpr Fp12 One() { return {Fp6::One(), Fp6::Zero()}; }

  bool IsOne() const { return *this == One(); }
  Fp12 Square() const;
  Fp12 Inverse() const;  // zero for zero
  // c0 - c1 * w: the power p^6. In the cyclotomic subgroup it is the inverse.
  Fp12 Conjugate() const { return {c0, -c1}; }
  // The powers p and p^2.
  Fp12 Frobenius() const;
  Fp12 FrobeniusSquared() const;
  // Square() for elements of the cyclotomic subgroup (whose power p^4 - p^2 + 1 is one) alone.
  // Granger, Scott: "Faster squaring in the cyclotomic subgroup of sixth degree extensions", 3.2.
  Fp12 CyclotomicSquare() const;
  // The power |x| of an element of the cyclotomic subgroup, x the parameter of the curve.
  Fp12 CyclotomicPowerOfParameter() const;
  // Times l0 + l1 * v + v * w, the form of a line of the Miller loop.
  Fp12 MulByLine(const Fp2& l0, const Fp2& l1) const;

  friend bool operator==(const Fp12& a, const Fp12& b) { return a.c0 == b.c0 && a.c1 == b.c1; }
  friend bool operator!=(const Fp12& a, const Fp12& b) { return !(a == b); }
};

Fp12 operator*(const Fp12& a, const Fp12& b);

}  // namespace slipway::bls12_381
