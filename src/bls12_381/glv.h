// Scalars cut into short parts, one for each power of a curve's endomorphism, and the signed digits
// of such parts. Internal to this folder. Gallant, Lambert, Vanstone (CRYPTO 2001); Galbraith, Lin,
// Scott (EUROCRYPT 2009). Thread-safe: pure functions.
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "bls12_381/fr.h"

namespace slipway::bls12_381::internal {

// A scalar k = low + high * lambda on G1, lambda = x^2 - 1, [lambda](X, Y) = (beta X, Y). Division
// with remainder: both parts are in [0, 2^128).
struct GlvScalar {
  std::array<uint64_t, 2> low, high;
};
GlvScalar SplitScalar(const Fr& scalar);

// A scalar k = sum of digit[i] * |x|^i, each digit < |x|. On G2, [|x|]Q = -psi(Q).
std::array<uint64_t, 4> SplitByParameter(const Fr& scalar);

// The non-adjacent form of width `width` (2 to 7) of an integer k < 2^(64 limbs): k is the sum of
// digits[i] * 2^i, where each digit is zero or odd with |digit| < 2^(width - 1), and of `width`
// neighbours at most one is not zero. Returns how many digits were written, the last of them not
// zero. `digits` has room for 64 limbs + 1.
int WidthNaf(absl::Span<const uint64_t> k, int width, absl::Span<int8_t> digits);

}  // namespace slipway::bls12_381::internal
