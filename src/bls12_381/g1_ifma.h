// Square roots and subgroup checks in eight lanes of AVX-512 IFMA. Internal to this folder; only
// where internal::g_use_ifma.
#pragma once

#include <cstddef>

#include "bls12_381/fp.h"

namespace slipway::bls12_381::internal {

// roots[i] = squares[i] to the power (p + 1) / 4, a root if there is one; 8 * blocks canonical
// elements. `roots` may be `squares`.
void RootCandidatesIfma(Fp* roots, const Fp* squares, size_t blocks);

// A Jacobian point, z = 0 for infinity.
struct JacobianPoint {
  Fp x, y, z;
};

// out[i] = [k^2] (x[i], y[i]) for k = |x|, the parameter of the curve; 8 * blocks points of the
// curve, none infinite. Where a step meets equal or opposite points, which none of the subgroup
// does, z is 0 whatever the multiple is.
void ParameterSquaredTimesIfma(JacobianPoint* out, const Fp* x, const Fp* y, size_t blocks);

}  // namespace slipway::bls12_381::internal
