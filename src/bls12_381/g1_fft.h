// Discrete Fourier transforms over the group G1: as fr_fft.h, with points for coefficients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "bls12_381/g1.h"
#include "bls12_381/parallel.h"

namespace slipway::bls12_381 {

// With w = Fr::RootOfUnity(log2_size) and n = 2^log2_size. Immutable after construction and
// thread-safe. REQUIRES: points of the subgroup; infinite, equal and opposite ones are right.
//
// Each stage multiplies all its points by fixed powers of w at once: the doublings of all points
// side by side, then what the digits of the two halves of each power name, added as in
// fixed_base_table.h. All additions are batched affine ones.
class G1Fft {
 public:
  // Computes the digits of n/2 - 1 powers of w. 1 <= log2_size <= 12.
  explicit G1Fft(int log2_size);
  ~G1Fft();

  size_t size() const { return size_t{1} << log2_size_; }

  // points[i] becomes the sum of [w^(ij)] points[j]; natural order in and out.
  void Forward(absl::Span<G1Affine> points, const Workers& workers) const;
  // The same by w^-1: n times the inverse transform. Whoever multiplies the points beforehand by
  // scalars gives those the factor 1/n.
  void InverseUnscaled(absl::Span<G1Affine> points, const Workers& workers) const;

 private:
  struct Digit;
  struct Factor;
  struct Lane;

  void Transform(absl::Span<G1Affine> points, bool inverse, const Workers& workers) const;
  void MultiplyLanes(absl::Span<const Lane> lanes) const;

  int log2_size_;
  std::vector<Factor> factors_;  // of w^i, 0 < i < n/2
};

}  // namespace slipway::bls12_381
