#include "bls12_381/g2.h"

#include <array>

#include "base/mutant.h"
#include "bls12_381/curve_constants.h"
#include "bls12_381/glv.h"
#include "bls12_381/point_impl.h"

namespace slipway::bls12_381 {
namespace internal {
template <>
Fp2 CurveB<Fp2>() {
  return {kG1B, kG1B};
}
}  // namespace internal
namespace {

// The Frobenius of Fp carried to the twist: [x] on G2.
G2 Psi(const G2& point) {
  return {point.x.Conjugate() * internal::kPsiX, point.y.Conjugate() * internal::kPsiY,
          point.z.Conjugate()};
}

}  // namespace

template <>
G2Affine G2Affine::Generator() {
  return {internal::kG2GeneratorX, internal::kG2GeneratorY, false};
}

// psi(Q) = [x]Q on G2 alone (Scott, eprint 2021/1130, section 4); x is negative.
template <>
bool G2Affine::IsInSubgroup() const {
  if (SLIPWAY_MUTANT("bls-no-subgroup-2")) return true;
  const G2 point = G2::FromAffine(*this);
  return Psi(point) == -internal::MultiplyByWord(point, internal::kParameter);
}

// [k]Q = [d0]Q - [d1]psi(Q) + [d2]psi^2(Q) - [d3]psi^3(Q): four parts of 64 bits over one chain,
// with the 16 sums of the four points.
template <>
G2 Multiply(const G2& point, const Fr& scalar) {
  const std::array<uint64_t, 4> digits = internal::SplitByParameter(scalar);
  std::array<G2, 16> sums;
  sums[0] = G2::Identity();
  G2 image = point;
  for (size_t part = 0; part < 4; ++part) {
    for (size_t i = 0; i < size_t{1} << part; ++i) sums[(size_t{1} << part) + i] = sums[i] + image;
    image = -Psi(image);
  }
  G2 product = G2::Identity();
  for (int bit = 63; bit >= 0; --bit) {
    size_t index = 0;
    for (size_t part = 0; part < 4; ++part) index |= (digits[part] >> bit & 1) << part;
    product = product.Double() + sums[index];
  }
  return product;
}

template struct AffinePoint<Fp2>;
template struct JacobianPoint<Fp2>;

}  // namespace slipway::bls12_381
