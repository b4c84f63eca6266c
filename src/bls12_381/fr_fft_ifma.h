// Fft in eight lanes of AVX-512 IFMA. Internal to this folder; only where internal::g_use_ifma.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "bls12_381/fr.h"

namespace slipway::bls12_381::internal {

// Sizes that the lanes take: below them the lanes are not full, above them sums outgrow their
// limbs.
inline constexpr int kFftLog2Min = 6;
inline constexpr int kFftLog2Max = 15;

// The powers of a root of unity in the order and form in which the lanes use them.
class FftLanes {
 public:
  // `roots` are root^i for 0 <= i < size / 2; each result is multiplied by `scale`.
  FftLanes(int log2_size, absl::Span<const Fr> roots, const Fr& scale);
  ~FftLanes();
  FftLanes(const FftLanes&) = delete;
  FftLanes& operator=(const FftLanes&) = delete;

  // In place: values[i] = scale * sum over j of values[j] * root^(ij), where the input, the output
  // or both are in bit-reversed order.
  void Transform(absl::Span<Fr> values, bool input_reversed, bool output_reversed) const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace slipway::bls12_381::internal
