#if defined(__x86_64__)
#include "bls12_381/fp_ifma.h"

#include "base/mutant.h"
#include "bls12_381/kernels.h"

namespace slipway::bls12_381::internal {

namespace {
SLIPWAY_IFMA_INLINE void StoreCanonical(Fp* out, const Fp8& a) {
  __m512i rows[kLanes];
  ToRows(rows, a);
  for (size_t lane = 0; lane < kLanes; ++lane) StoreRow(out[lane], rows[lane]);
}
}  // namespace

SLIPWAY_IFMA void MulBlocksIfma(Fp* out, const Fp* a, const Fp* b, size_t blocks) {
  for (size_t i = 0; i < blocks; ++i, out += kLanes, a += kLanes, b += kLanes) {
    Fp8 x;
    Fp8 y;
    Load(x, a);
    LoadPlain(y, b);
    Mul(x, x, y);
    if (!SLIPWAY_MUTANT("bls-lanes-subtraction")) SubtractModulus(x, kP52);
    StoreCanonical(out, x);
  }
}

SLIPWAY_IFMA void SquareBlocksIfma(Fp* out, const Fp* a, size_t blocks) {
  MulBlocksIfma(out, a, a, blocks);
}

}  // namespace slipway::bls12_381::internal

#endif
