// G2: points of the twist y^2 = x^3 + 4 (1 + u) over Fp2, and its subgroup of order r.
#pragma once

#include "bls12_381/fp2.h"
#include "bls12_381/point.h"

namespace slipway::bls12_381 {

using G2Affine = AffinePoint<Fp2>;
using G2 = JacobianPoint<Fp2>;

template <>
G2Affine G2Affine::Generator();
template <>
bool G2Affine::IsInSubgroup() const;
template <>
G2 Multiply(const G2& point, const Fr& scalar);
extern template struct AffinePoint<Fp2>;
extern template struct JacobianPoint<Fp2>;

}  // namespace slipway::bls12_381
