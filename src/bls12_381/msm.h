// Sums of multiples of points that are not known beforehand. For points that stay the same:
// fixed_base_table.h.
#pragma once

#include "absl/types/span.h"
#include "bls12_381/g1.h"
#include "bls12_381/g2.h"

namespace slipway::bls12_381 {

// The sum of [scalars[i]] points[i]; infinity for none. Spans of one length. REQUIRES: points of
// the subgroup. Any points and scalars else: infinite, repeated, opposite ones, zeros. Thread-safe;
// scratch memory belongs to the calling thread and is kept for its next call.
G1 Msm(absl::Span<const G1Affine> points, absl::Span<const Fr> scalars);
G2 Msm(absl::Span<const G2Affine> points, absl::Span<const Fr> scalars);

}  // namespace slipway::bls12_381
