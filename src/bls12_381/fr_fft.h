// Discrete Fourier transforms over Fr, for sizes that are powers of two.
// Thread-compatible: a const Fft may be used by many threads at once.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "bls12_381/fr.h"

namespace slipway::bls12_381 {

namespace internal {
class FftLanes;
}

// With w = Fr::RootOfUnity(log2_size) and n = 2^log2_size:
// Forward turns coefficients f into values F[i] = sum over j of f[j] * w^(ij), Inverse takes it
// back.
class Fft {
 public:
  // Computes the powers of w: n/2 scalars, twice. 0 <= log2_size <= 32.
  explicit Fft(int log2_size);

  size_t size() const { return size_t{1} << log2_size_; }
  int log2_size() const { return log2_size_; }
  // w^i for 0 <= i < n/2 (for n = 1: empty).
  absl::Span<const Fr> roots() const { return roots_; }

  // In place, natural order in and out; `values` has n elements.
  void Forward(absl::Span<Fr> values) const;
  void Inverse(absl::Span<Fr> values) const;

  // The same without the permutation: coefficients in natural order, values in bit-reversed order.
  void ForwardToBitReversed(absl::Span<Fr> values) const;
  void InverseFromBitReversed(absl::Span<Fr> values) const;

 private:
  static bool TransformInLanes(const internal::FftLanes* lanes, absl::Span<Fr> values,
                               bool input_reversed, bool output_reversed);

  int log2_size_;
  Fr size_inverse_;
  std::vector<Fr> roots_;          // w^i
  std::vector<Fr> inverse_roots_;  // w^-i
  // For the vector back end, if this machine and this size have it; copies share them.
  std::shared_ptr<const internal::FftLanes> forward_lanes_;
  std::shared_ptr<const internal::FftLanes> inverse_lanes_;
};

// Swaps each element with the one at the bit-reversed index; a power of two of elements.
void BitReverse(absl::Span<Fr> values);

}  // namespace slipway::bls12_381
