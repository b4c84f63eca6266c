#include "bls12_381/fp2.h"

namespace slipway::bls12_381 {

Fp2 Fp2::Inverse() const {
  const Fp norm_inverse = (c0.Square() + c1.Square()).Inverse();
  return {c0 * norm_inverse, -(c1 * norm_inverse)};
}

// Of a = c0 + c1 u with c1 not zero, of norm n^2: the square of a root's real part is (c0 + n) / 2
// or (c0 - n) / 2. Their product is -c1^2 / 4, a non-square as -1 is one: exactly one of them has a
// root. The imaginary part follows from c1 = 2 re im.
std::optional<Fp2> Fp2::Sqrt() const {
  if (c1.IsZero()) {
    if (const std::optional<Fp> real = c0.Sqrt()) return Fp2{*real, Fp::Zero()};
    if (const std::optional<Fp> imaginary = (-c0).Sqrt()) return Fp2{Fp::Zero(), *imaginary};
    return std::nullopt;  // not reached: c0 or -c0 is a square
  }
  const std::optional<Fp> norm_root = (c0.Square() + c1.Square()).Sqrt();
  if (!norm_root.has_value()) return std::nullopt;
  std::optional<Fp> real = (c0 + *norm_root).Half().Sqrt();
  if (!real.has_value()) real = (c0 - *norm_root).Half().Sqrt();
  if (!real.has_value()) return std::nullopt;  // not reached
  return Fp2{*real, c1 * real->Double().Inverse()};
}

}  // namespace slipway::bls12_381
