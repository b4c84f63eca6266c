// The optimal ate pairing e: G1 x G2 -> Fp12, in the form in which it is used: products of
// pairings, compared with one. Thread-safe: pure functions.
#pragma once

#include <array>

#include "absl/types/span.h"
#include "bls12_381/fp12.h"
#include "bls12_381/g1.h"
#include "bls12_381/g2.h"

namespace slipway::bls12_381 {

// A point of G2 as the Miller loop needs it: the slope and offset of each of its lines, 13 kB. For
// a point that occurs again and again; as a value it may be copied and kept anywhere.
class G2Prepared {
 public:
  // 63 doublings and 5 additions: the bits of the curve's parameter.
  static constexpr int kLines = 68;
  // The line through T with slope m, divided by the constant that makes its last coefficient y_P:
  // (m x_T - y_T) - m x_P v + y_P v w (Costello, Stebila: "Fixed argument pairings", 2010).
  struct Line {
    Fp2 constant;     // m x_T - y_T
    Fp2 minus_slope;  // -m
  };

  // Infinity: a point that pairs to one.
  G2Prepared() = default;
  // REQUIRES: `point` in G2.
  explicit G2Prepared(const G2Affine& point);

  bool infinity() const { return infinity_; }
  const std::array<Line, kLines>& lines() const { return lines_; }

 private:
  bool infinity_ = true;
  std::array<Line, kLines> lines_;
};

// The product of all f_{x,Q}(P), before the final exponentiation: one loop whose squarings all
// pairs share. Spans of one length. A pair with a point at infinity contributes one.
Fp12 MillerLoop(absl::Span<const G1Affine> g1, absl::Span<const G2Prepared* const> g2);

// The power 3 (p^12 - 1) / r of a value that is not zero. The factor 3 makes the exponent cheap and
// is prime to r: the result is one for the same values, and as bilinear.
Fp12 FinalExponentiation(const Fp12& value);

// Whether the product of e(g1[i], g2[i]) is one: one Miller loop, one final exponentiation.
bool PairingProductIsOne(absl::Span<const G1Affine> g1, absl::Span<const G2Prepared* const> g2);
bool PairingProductIsOne(absl::Span<const G1Affine> g1, absl::Span<const G2Prepared> g2);

// e(p, q)^3, see FinalExponentiation. REQUIRES: p in G1, q in G2.
Fp12 Pairing(const G1Affine& p, const G2Affine& q);

}  // namespace slipway::bls12_381
