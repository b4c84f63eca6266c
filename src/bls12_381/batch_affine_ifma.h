// The heart of BatchAdder in eight lanes of AVX-512 IFMA. Internal to this folder; only where
// internal::g_use_ifma.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bls12_381/batch_affine.h"

namespace slipway::bls12_381::internal {

// Sums of pairs whose slope is numerator / denominator: arrays of canonical elements, 8 * blocks
// long. (x, y) is the first point of each pair, x_sum the sum of both x. No denominator is zero.
struct AffineSums {
  const Fp* denominator;
  const Fp* numerator;
  const Fp* x;
  const Fp* y;
  const Fp* x_sum;
  G1Entry* const* out;
};

// Room for batches of up to kBlocksMax blocks.
struct alignas(64) AffineScratch {
  static constexpr size_t kBlocksMax = 64;
  uint64_t denominators[kBlocksMax][64];
  uint64_t products[kBlocksMax][64];
};

// *out[i] = the sum of pair i.
void AffineSumsIfma(const AffineSums& sums, size_t blocks, AffineScratch& scratch);

}  // namespace slipway::bls12_381::internal
