// What the tests of the groups share: random scalars and points, inside the subgroup and outside,
// and the slow ways to multiply and add. For tests only.
#pragma once

#include <array>
#include <random>
#include <vector>

#include "absl/types/span.h"
#include "bls12_381/g1.h"
#include "bls12_381/g2.h"
#include "bls12_381/test_bigint.h"

namespace slipway::bls12_381::testing {

inline Fr RandomFr(std::mt19937_64& random) {
  return Fr::FromLimbs({random(), random(), random(), random()});
}
inline Fp RandomFp(std::mt19937_64& random) {
  uint64_t limbs[6];
  for (uint64_t& limb : limbs) limb = random();
  limbs[5] >>= 8;  // below 2^376 < p
  return Fp::FromLimbs(limbs);
}
inline Fp2 RandomFp2(std::mt19937_64& random) { return {RandomFp(random), RandomFp(random)}; }

// Scalars that cut badly: 0, 1, 2, r - 1, r - 2, lambda and its neighbours, powers of two.
inline std::vector<Fr> EdgeScalars() {
  const Fr lambda = Fr::FromLimbs({0x00000000ffffffff, 0xac45a4010001a402, 0, 0});
  std::vector<Fr> edges = {
      Fr::Zero(), Fr::One(),          Fr::FromUint64(2),  -Fr::One(), -Fr::FromUint64(2),
      lambda,     lambda - Fr::One(), lambda + Fr::One(), -lambda,    lambda * Fr::FromUint64(2)};
  for (size_t bit = 3; bit < 255; bit += 6) {
    std::array<uint64_t, 4> limbs = {};
    limbs[bit / 64] = uint64_t{1} << (bit % 64);
    edges.push_back(Fr::FromLimbs(limbs));
    edges.push_back(edges.back() - Fr::One());
  }
  return edges;
}

// [k] of a point by doubling and adding, no endomorphism.
template <class F>
JacobianPoint<F> SlowMultiply(const JacobianPoint<F>& point, const Fr& scalar) {
  const std::array<uint64_t, 4> k = scalar.ToLimbs();
  return point.MultiplyAnywhere(k);
}

// [r]P is infinity: the meaning of "in the subgroup".
template <class F>
bool SlowIsInSubgroup(const AffinePoint<F>& point) {
  return JacobianPoint<F>::FromAffine(point).MultiplyAnywhere(kFrModulus).IsIdentity();
}

inline G1Affine RandomG1(std::mt19937_64& random) {
  return SlowMultiply(G1::Generator(), RandomFr(random)).ToAffine();
}
inline G2Affine RandomG2(std::mt19937_64& random) {
  return SlowMultiply(G2::Generator(), RandomFr(random)).ToAffine();
}

// A point of the curve, most likely outside the subgroup.
inline G1Affine RandomCurvePoint1(std::mt19937_64& random) {
  for (;;) {
    const Fp x = RandomFp(random);
    if (const auto y = (x.Square() * x + Fp::FromUint64(4)).Sqrt()) return {x, *y, false};
  }
}
inline G2Affine RandomCurvePoint2(std::mt19937_64& random) {
  for (;;) {
    const Fp2 x = RandomFp2(random);
    const Fp2 b = {Fp::FromUint64(4), Fp::FromUint64(4)};
    if (const auto y = (x.Square() * x + b).Sqrt()) return {x, *y, false};
  }
}

// (0, 2) and (0, -2): the points of order three.
inline G1Affine OrderThree() { return {Fp::Zero(), Fp::FromUint64(2), false}; }

template <class F>
JacobianPoint<F> SlowMsm(absl::Span<const AffinePoint<F>> points, absl::Span<const Fr> scalars) {
  JacobianPoint<F> sum = JacobianPoint<F>::Identity();
  for (size_t i = 0; i < points.size(); ++i) {
    sum = sum + SlowMultiply(JacobianPoint<F>::FromAffine(points[i]), scalars[i]);
  }
  return sum;
}

}  // namespace slipway::bls12_381::testing
