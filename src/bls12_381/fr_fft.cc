#include "bls12_381/fr_fft.h"

#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/fr_fft_ifma.h"

namespace slipway::bls12_381 {
namespace {

std::vector<Fr> PowersOf(const Fr& root, size_t count) {
  std::vector<Fr> powers(count);
  Fr power = Fr::One();
  for (Fr& element : powers) {
    element = power;
    power = power * root;
  }
  return powers;
}

}  // namespace

void BitReverse(absl::Span<Fr> values) {
  const size_t size = values.size();
  SLIPWAY_CHECK((size & (size - 1)) == 0);
  for (size_t i = 0, reversed = 0; i < size; ++i) {
    if (i < reversed) std::swap(values[i], values[reversed]);
    // Adds one to `reversed` from its highest bit down.
    size_t bit = size >> 1;
    while ((reversed & bit) != 0) {
      reversed ^= bit;
      bit >>= 1;
    }
    reversed |= bit;
  }
}

Fft::Fft(int log2_size) : log2_size_(log2_size) {
  const Fr root = Fr::RootOfUnity(log2_size);
  size_inverse_ = Fr::FromUint64(size()).Inverse();
  roots_ = PowersOf(root, size() / 2);
  inverse_roots_ = PowersOf(root.Inverse(), size() / 2);
#if defined(__x86_64__)
  if (internal::g_use_ifma && log2_size >= internal::kFftLog2Min &&
      log2_size <= internal::kFftLog2Max) {
    forward_lanes_ = std::make_shared<internal::FftLanes>(log2_size, roots_, Fr::One());
    inverse_lanes_ = std::make_shared<internal::FftLanes>(log2_size, inverse_roots_, size_inverse_);
  }
#endif
}

// In the lanes, whatever the order; false if there are none.
bool Fft::TransformInLanes(const internal::FftLanes* lanes, absl::Span<Fr> values,
                           bool input_reversed, bool output_reversed) {
#if defined(__x86_64__)
  if (internal::g_use_ifma && lanes != nullptr) {
    lanes->Transform(values, input_reversed, output_reversed);
    return true;
  }
#endif
  static_cast<void>(lanes), static_cast<void>(values);
  static_cast<void>(input_reversed), static_cast<void>(output_reversed);
  return false;
}

// Gentleman and Sande: halves that shrink, sums above and differences times a root below.
void Fft::ForwardToBitReversed(absl::Span<Fr> values) const {
  SLIPWAY_CHECK(values.size() == size());
  if (TransformInLanes(forward_lanes_.get(), values, false, true)) return;
  for (size_t half = size() / 2, step = 1; half > 0; half /= 2, step *= 2) {
    for (size_t start = 0; start < size(); start += 2 * half) {
      for (size_t i = start; i < start + half; ++i) {
        const Fr a = values[i];
        const Fr b = values[i + half];
        values[i] = a + b;
        values[i + half] = (a - b) * roots_[(i - start) * step];
      }
    }
  }
}

// Cooley and Tukey: the same steps back, with the inverse roots; then 1 / n.
void Fft::InverseFromBitReversed(absl::Span<Fr> values) const {
  SLIPWAY_CHECK(values.size() == size());
  if (TransformInLanes(inverse_lanes_.get(), values, true, false)) return;
  for (size_t half = 1, step = size() / 2; half < size(); half *= 2, step /= 2) {
    for (size_t start = 0; start < size(); start += 2 * half) {
      for (size_t i = start; i < start + half; ++i) {
        const Fr a = values[i];
        const Fr b = values[i + half] * inverse_roots_[(i - start) * step];
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
  if (SLIPWAY_MUTANT("bls-fft-scale")) return;
  for (Fr& value : values) value = value * size_inverse_;
}

void Fft::Forward(absl::Span<Fr> values) const {
  SLIPWAY_CHECK(values.size() == size());
  if (TransformInLanes(forward_lanes_.get(), values, false, false)) return;
  ForwardToBitReversed(values);
  BitReverse(values);
}

void Fft::Inverse(absl::Span<Fr> values) const {
  SLIPWAY_CHECK(values.size() == size());
  if (TransformInLanes(inverse_lanes_.get(), values, false, false)) return;
  BitReverse(values);
  InverseFromBitReversed(values);
}

}  // namespace slipway::bls12_381
