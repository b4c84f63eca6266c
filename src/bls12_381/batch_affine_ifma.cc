#if defined(__x86_64__)
#include "bls12_381/batch_affine_ifma.h"

#include "base/check.h"
#include "bls12_381/fp_ifma.h"

namespace slipway::bls12_381::internal {
namespace {

// Lane by lane the inverse of a, which is below 2p and not zero; below 2p.
SLIPWAY_IFMA_INLINE void InvertLanes(Fp8& out, const Fp8& a) {
  Fp lanes[kLanes];
  __m512i rows[kLanes];
  LowerToRows(rows, a);
  for (size_t lane = 0; lane < kLanes; ++lane) StoreRow(lanes[lane], rows[lane]);
  Fp before[kLanes];
  Fp product = Fp::One();
  for (size_t i = 0; i < kLanes; ++i) {
    before[i] = product;
    product = product * lanes[i];
  }
  Fp inverse = product.Inverse();
  for (size_t i = kLanes; i-- > 0;) {
    const Fp rest = inverse * lanes[i];
    lanes[i] = inverse * before[i];
    inverse = rest;
  }
  Fp8 one;
  SetAll(one, kOne52);
  Load(out, lanes);
  Mul(out, out, one);
}

}  // namespace

// Bounds: loaded values are below 2^32 p, products below 2p. Montgomery's trick runs through all
// blocks in each lane on its own, so that eight inversions are left, of which one is made.
SLIPWAY_IFMA void AffineSumsIfma(const AffineSums& sums, size_t blocks, AffineScratch& scratch) {
  SLIPWAY_CHECK(blocks <= AffineScratch::kBlocksMax);
  Fp8 product;
  SetAll(product, kOne52);
  for (size_t i = 0; i < blocks; ++i) {
    StoreLimbs(scratch.products[i], product);
    Fp8 denominator;
    Load(denominator, sums.denominator + kLanes * i);
    StoreLimbs(scratch.denominators[i], denominator);
    Mul(product, product, denominator);
  }
  Fp8 inverse;
  InvertLanes(inverse, product);
  for (size_t i = blocks; i-- > 0;) {
    Fp8 slope;
    LoadLimbs(slope, scratch.products[i]);
    Mul(slope, inverse, slope);
    Fp8 denominator;
    LoadLimbs(denominator, scratch.denominators[i]);
    Mul(inverse, inverse, denominator);
    Fp8 numerator;
    Load(numerator, sums.numerator + kLanes * i);
    Mul(slope, slope, numerator);
    Fp8 square;
    Square(square, slope);
    Fp8 x_sum;
    Load(x_sum, sums.x_sum + kLanes * i);
    Fp8 x;
    Load(x, sums.x + kLanes * i);
    Fp8 y;
    Load(y, sums.y + kLanes * i);
    Fp8 y_new;
    AddSub(y_new, x, x_sum, square, kP52Times4);  // x - the new x, below 2^33 p + 4p
    Mul(y_new, y_new, slope);
    Sub(y_new, y_new, y, kP52Times2To32);
    Sub(square, square, x_sum, kP52Times2To32);  // the new x, below 2^32 p + 2p
    __m512i rows[kLanes];
    LowerToRows(rows, square);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      StoreRow(sums.out[kLanes * i + lane]->x, rows[lane]);
    }
    LowerToRows(rows, y_new);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      StoreRow(sums.out[kLanes * i + lane]->y, rows[lane]);
    }
  }
}

}  // namespace slipway::bls12_381::internal

#endif
