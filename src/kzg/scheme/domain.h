// The roots of unity of both EIPs, and polynomials in their two forms. Depends on no setup.
// Thread-safe once made.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "bls12_381/fr.h"
#include "bls12_381/fr_fft.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

using bls12_381::Fr;

// A polynomial of degree < 4096 by its values at the 4096th roots of unity, in bit-reversed order:
// what a blob holds. No mix with Coefficients compiles (spec 4.7).
struct Evaluations {
  std::vector<Fr> values;
};
// The same polynomial by its coefficients, lowest degree first.
struct Coefficients {
  std::vector<Fr> values;
};

// The k lowest bits of `index` in reverse order.
constexpr size_t BitReverseIndex(size_t index, int bits) {
  size_t reversed = 0;
  for (int i = 0; i < bits; ++i) reversed |= (index >> i & 1) << (bits - 1 - i);
  return reversed;
}

class Domain {
 public:
  Domain();

  // P(z), by folding: neighbours hold values at w and -w, so (a, b) becomes (a + b) + (a - b) z /
  // w, a polynomial of half the degree in z^2. No inversion, and no special case for z in the
  // domain (spec 4.4).
  Fr Evaluate(const Evaluations& polynomial, const Fr& z) const;
  // The values of (P(X) - y) / (X - z) with y = P(z), for any z (K61).
  Evaluations Quotient(const Evaluations& polynomial, const Fr& z, const Fr& y) const;
  Coefficients Interpolate(const Evaluations& polynomial) const;

  // w4096^brp(i): the point of the i-th element of a blob.
  absl::Span<const Fr> points() const { return points_; }
  // w8192^i, 0 <= i < 4096.
  absl::Span<const Fr> ext_roots() const { return ext_roots_; }
  // h_k = w8192^brp7(k), of the coset that cell k covers (spec 2.4).
  const Fr& CosetShift(size_t cell) const { return coset_shifts_[cell]; }
  const Fr& CosetShiftInverse(size_t cell) const { return coset_shift_inverses_[cell]; }
  // H_k = h_k^64 = w128^brp7(k).
  const Fr& CosetPower(size_t cell) const { return coset_powers_[cell]; }

  const bls12_381::Fft& blob_fft() const { return blob_fft_; }    // 4096
  const bls12_381::Fft& cells_fft() const { return cells_fft_; }  // 128
  const bls12_381::Fft& cell_fft() const { return cell_fft_; }    // 64

 private:
  const bls12_381::Fft blob_fft_;
  const bls12_381::Fft cells_fft_;
  const bls12_381::Fft cell_fft_;
  std::vector<Fr> points_;
  std::vector<Fr> fold_;  // w4096^-brp11(i), 0 <= i < 2048
  std::vector<Fr> ext_roots_;
  std::vector<Fr> coset_shifts_;
  std::vector<Fr> coset_shift_inverses_;
  std::vector<Fr> coset_powers_;
  Fr blob_size_inverse_;
};

}  // namespace slipway::kzg
