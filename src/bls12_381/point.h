// Points of a curve y^2 = x^3 + b over F, in affine and in Jacobian coordinates. g1.h and g2.h name
// the two groups: F = Fp with b = 4, F = Fp2 with b = 4 (1 + u).
// Variable time: points and scalars here are public (README.md). Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "bls12_381/fr.h"

namespace slipway::bls12_381 {

// Two coordinates, or infinity, where they are zero and mean nothing.
template <class F>
struct AffinePoint {
  F x, y;
  bool infinity;

  static constexpr AffinePoint Identity() { return {F::Zero(), F::Zero(), true}; }
  static AffinePoint Generator();

  // Infinity is on the curve and in the subgroup.
  bool IsOnCurve() const;
  // Whether [r]P is infinity, by an endomorphism (K55). REQUIRES: on the curve.
  bool IsInSubgroup() const;

  friend AffinePoint operator-(const AffinePoint& a) { return {a.x, -a.y, a.infinity}; }
  friend bool operator==(const AffinePoint& a, const AffinePoint& b) {
    if (a.infinity || b.infinity) return a.infinity == b.infinity;
    return a.x == b.x && a.y == b.y;
  }
  friend bool operator!=(const AffinePoint& a, const AffinePoint& b) { return !(a == b); }
};

// The affine point (x / z^2, y / z^3), infinity where z is zero. All operations take any points of
// the curve: equal, opposite, infinite ones, too.
template <class F>
struct JacobianPoint {
  F x, y, z;

  static constexpr JacobianPoint Identity() { return {F::One(), F::One(), F::Zero()}; }
  static JacobianPoint Generator() { return FromAffine(AffinePoint<F>::Generator()); }
  static JacobianPoint FromAffine(const AffinePoint<F>& a) {
    return a.infinity ? Identity() : JacobianPoint{a.x, a.y, F::One()};
  }

  bool IsIdentity() const { return z.IsZero(); }
  bool IsOnCurve() const { return ToAffine().IsOnCurve(); }
  bool IsInSubgroup() const { return ToAffine().IsInSubgroup(); }

  JacobianPoint Double() const;
  JacobianPoint Add(const JacobianPoint& other) const;
  JacobianPoint Add(const AffinePoint<F>& other) const;
  // [k]P for any integer k >= 0 in little-endian limbs, by doubling and adding: slow, and right for
  // points outside the subgroup.
  JacobianPoint MultiplyAnywhere(absl::Span<const uint64_t> k) const;

  // One inversion.
  AffinePoint<F> ToAffine() const;
  // The same for all of them with one inversion; spans of one length.
  static void BatchToAffine(absl::Span<const JacobianPoint> points,
                            absl::Span<AffinePoint<F>> affine);

  friend JacobianPoint operator+(const JacobianPoint& a, const JacobianPoint& b) {
    return a.Add(b);
  }
  friend JacobianPoint operator+(const JacobianPoint& a, const AffinePoint<F>& b) {
    return a.Add(b);
  }
  friend JacobianPoint operator-(const JacobianPoint& a) { return {a.x, -a.y, a.z}; }
  friend JacobianPoint operator-(const JacobianPoint& a, const JacobianPoint& b) { return a + -b; }
  friend JacobianPoint operator-(const JacobianPoint& a, const AffinePoint<F>& b) { return a + -b; }
  friend bool operator==(const JacobianPoint& a, const JacobianPoint& b) { return a.Equals(b); }
  friend bool operator!=(const JacobianPoint& a, const JacobianPoint& b) { return !a.Equals(b); }
  bool Equals(const JacobianPoint& other) const;
};

// [k]P by the endomorphism of the curve. REQUIRES: P in the subgroup of order r; elsewhere the
// result is another point.
template <class F>
JacobianPoint<F> Multiply(const JacobianPoint<F>& point, const Fr& scalar);
template <class F>
JacobianPoint<F> operator*(const JacobianPoint<F>& point, const Fr& scalar) {
  return Multiply(point, scalar);
}
template <class F>
JacobianPoint<F> operator*(const AffinePoint<F>& point, const Fr& scalar) {
  return Multiply(JacobianPoint<F>::FromAffine(point), scalar);
}

}  // namespace slipway::bls12_381
