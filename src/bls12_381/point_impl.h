// The bodies of point.h, for g1.cc and g2.cc to instantiate. Internal to this folder.
// Formulas: Bernstein and Lange, Explicit-Formulas Database, "Jacobian coordinates with a4=0":
// dbl-2009-l, add-2007-bl, madd-2007-bl; the cases that they leave out stand first.
#pragma once

#include <vector>

#include "base/check.h"
#include "bls12_381/point.h"

namespace slipway::bls12_381 {
namespace internal {

template <class F>
F CurveB();

// [k]P by the bits of `k`, k > 0.
template <class F>
JacobianPoint<F> MultiplyByWord(const JacobianPoint<F>& point, uint64_t k) {
  JacobianPoint<F> product = point;
  for (int bit = 62 - __builtin_clzll(k); bit >= 0; --bit) {
    product = product.Double();
    if ((k >> bit & 1) != 0) product = product.Add(point);
  }
  return product;
}

}  // namespace internal

template <class F>
bool AffinePoint<F>::IsOnCurve() const {
  return infinity || y.Square() == x.Square() * x + internal::CurveB<F>();
}

template <class F>
JacobianPoint<F> JacobianPoint<F>::Double() const {
  const F a = x.Square();
  const F b = y.Square();
  const F c = b.Square();
  const F d = ((x + b).Square() - a - c).Double();
  const F e = a.Double() + a;
  JacobianPoint out;
  out.z = (y * z).Double();
  out.x = e.Square() - d.Double();
  out.y = e * (d - out.x) - c.Double().Double().Double();
  return out;
}

template <class F>
JacobianPoint<F> JacobianPoint<F>::Add(const JacobianPoint& other) const {
  if (IsIdentity()) return other;
  if (other.IsIdentity()) return *this;
  const F z1z1 = z.Square();
  const F z2z2 = other.z.Square();
  const F u1 = x * z2z2;
  const F s1 = y * other.z * z2z2;
  const F h = other.x * z1z1 - u1;
  const F half_r = other.y * z * z1z1 - s1;
  if (h.IsZero()) return half_r.IsZero() ? Double() : Identity();
  const F i = h.Double().Square();
  const F j = h * i;
  const F r = half_r.Double();
  const F v = u1 * i;
  JacobianPoint out;
  out.x = r.Square() - j - v.Double();
  out.y = r * (v - out.x) - (s1 * j).Double();
  out.z = ((z + other.z).Square() - z1z1 - z2z2) * h;
  return out;
}

template <class F>
JacobianPoint<F> JacobianPoint<F>::Add(const AffinePoint<F>& other) const {
  if (other.infinity) return *this;
  if (IsIdentity()) return FromAffine(other);
  const F z1z1 = z.Square();
  const F h = other.x * z1z1 - x;
  const F half_r = other.y * z * z1z1 - y;
  if (h.IsZero()) return half_r.IsZero() ? Double() : Identity();
  const F hh = h.Square();
  const F i = hh.Double().Double();
  const F j = h * i;
  const F r = half_r.Double();
  const F v = x * i;
  JacobianPoint out;
  out.x = r.Square() - j - v.Double();
  out.y = r * (v - out.x) - (y * j).Double();
  out.z = (z + h).Square() - z1z1 - hh;
  return out;
}

template <class F>
JacobianPoint<F> JacobianPoint<F>::MultiplyAnywhere(absl::Span<const uint64_t> k) const {
  JacobianPoint product = Identity();
  for (size_t limb = k.size(); limb-- > 0;) {
    for (int bit = 63; bit >= 0; --bit) {
      product = product.Double();
      if ((k[limb] >> bit & 1) != 0) product = product.Add(*this);
    }
  }
  return product;
}

template <class F>
bool JacobianPoint<F>::Equals(const JacobianPoint& other) const {
  if (IsIdentity() || other.IsIdentity()) return IsIdentity() == other.IsIdentity();
  const F z1z1 = z.Square();
  const F z2z2 = other.z.Square();
  return x * z2z2 == other.x * z1z1 && y * z2z2 * other.z == other.y * z1z1 * z;
}

template <class F>
AffinePoint<F> JacobianPoint<F>::ToAffine() const {
  if (IsIdentity()) return AffinePoint<F>::Identity();
  const F inverse = z.Inverse();
  const F square = inverse.Square();
  return {x * square, y * square * inverse, false};
}

// Montgomery's trick: the coordinates x of the output hold the products of all z before, so that
// nothing is allocated.
template <class F>
void JacobianPoint<F>::BatchToAffine(absl::Span<const JacobianPoint> points,
                                     absl::Span<AffinePoint<F>> affine) {
  SLIPWAY_CHECK(points.size() == affine.size());
  F product = F::One();
  for (size_t i = 0; i < points.size(); ++i) {
    affine[i].x = product;
    if (!points[i].IsIdentity()) product = product * points[i].z;
  }
  F inverse = product.Inverse();
  for (size_t i = points.size(); i-- > 0;) {
    if (points[i].IsIdentity()) {
      affine[i] = AffinePoint<F>::Identity();
      continue;
    }
    const F z_inverse = inverse * affine[i].x;
    inverse = inverse * points[i].z;
    const F square = z_inverse.Square();
    affine[i] = {points[i].x * square, points[i].y * square * z_inverse, false};
  }
}

}  // namespace slipway::bls12_381
