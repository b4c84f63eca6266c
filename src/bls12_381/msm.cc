#include "bls12_381/msm.h"

#include "base/check.h"

namespace slipway::bls12_381 {
namespace {

template <class F>
JacobianPoint<F> Sum(absl::Span<const AffinePoint<F>> points, absl::Span<const Fr> scalars) {
  SLIPWAY_CHECK(points.size() == scalars.size());
  JacobianPoint<F> sum = JacobianPoint<F>::Identity();
  for (size_t i = 0; i < points.size(); ++i) sum = sum + points[i] * scalars[i];
  return sum;
}

}  // namespace

G1 Msm(absl::Span<const G1Affine> points, absl::Span<const Fr> scalars) {
  return Sum(points, scalars);
}
G2 Msm(absl::Span<const G2Affine> points, absl::Span<const Fr> scalars) {
  return Sum(points, scalars);
}

}  // namespace slipway::bls12_381
