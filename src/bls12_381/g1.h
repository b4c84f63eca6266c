// G1: points of y^2 = x^3 + 4 over Fp, and its subgroup of order r.
#pragma once

#include "absl/types/span.h"
#include "bls12_381/fp.h"
#include "bls12_381/point.h"

namespace slipway::bls12_381 {

using G1Affine = AffinePoint<Fp>;
using G1 = JacobianPoint<Fp>;

template <>
G1Affine G1Affine::Generator();
template <>
bool G1Affine::IsInSubgroup() const;
template <>
G1 Multiply(const G1& point, const Fr& scalar);
extern template struct AffinePoint<Fp>;
extern template struct JacobianPoint<Fp>;

// [scalar] of the generator, from a table of 132 kB that the first call computes (1 ms).
G1 MultiplyGenerator(const Fr& scalar);

}  // namespace slipway::bls12_381
