#if defined(__x86_64__)
#include "bls12_381/g1_ifma.h"

#include "bls12_381/curve_constants.h"
#include "bls12_381/fp_ifma.h"

namespace slipway::bls12_381::internal {
namespace {

// 64p and 128p in limbs of 52 bits.
constexpr uint64_t kP52Times64[8] = {0xfffffffeaaac0, 0xac54ffffee7fb, 0xc3d8907aaffff,
                                     0xafd9cc34a83da, 0x91dd2e13ce144, 0xe9ed90d2eb35d,
                                     0xa8e5ff9a692c6, 0x0000000680447};
constexpr uint64_t kP52Times128[8] = {0xfffffffd55580, 0x58a9ffffdcff7, 0x87b120f55ffff,
                                      0x5fb39869507b5, 0x23ba5c279c289, 0xd3db21a5d66bb,
                                      0x51cbff34d258d, 0x0000000d0088f};
// (p + 1) / 4, and how many bits it has.
constexpr uint64_t kRootExponent[6] = {0xee7fbfffffffeaab, 0x07aaffffac54ffff, 0xd9cc34a83dac3d89,
                                       0xd91dd2e13ce144af, 0x92c6e9ed90d2eb35, 0x0680447a8e5ff9a6};
constexpr int kRootBits = 379;
constexpr int kWindow = 5;

constexpr int BitOf(const uint64_t (&number)[6], int at) {
  return static_cast<int>(number[at / 64] >> (at % 64)) & 1;
}
static_assert(BitOf(kRootExponent, kRootBits - 1) == 1);

// Bounds: a product is below 2p, x and y are below 66p and z is below 4p. So all stays far below
// 2^416, and nothing is ever reduced.
struct Jacobian8 {
  Fp8 x, y, z;
};

// out = a * 2^shift_a - b * 2^shift_b + k, where k is a multiple of p not below what is subtracted.
SLIPWAY_IFMA_INLINE void Difference(Fp8& out, const Fp8& a, unsigned shift_a, const Fp8& b,
                                    unsigned shift_b, const uint64_t (&k)[8]) {
  SLIPWAY_UNROLL
  for (int j = 0; j < 8; ++j) {
    out.limb[j] = _mm512_add_epi64(_mm512_sub_epi64(_mm512_slli_epi64(a.limb[j], shift_a),
                                                    _mm512_slli_epi64(b.limb[j], shift_b)),
                                   Set1(k[j]));
  }
  Normalise(out);
}

// out = a * 2^shift + b.
SLIPWAY_IFMA_INLINE void Sum(Fp8& out, const Fp8& a, unsigned shift, const Fp8& b) {
  SLIPWAY_UNROLL
  for (int j = 0; j < 8; ++j) {
    out.limb[j] = _mm512_add_epi64(_mm512_slli_epi64(a.limb[j], shift), b.limb[j]);
  }
  Normalise(out);
}

// "dbl-2009-l" of the explicit-formulas database: 2 products, 5 squares.
SLIPWAY_IFMA void Double(Jacobian8& p) {
  Fp8 a, b, c, d, e, t;
  Square(a, p.x);
  Square(b, p.y);
  Square(c, b);
  Sum(t, p.x, 0, b);
  Square(d, t);
  Sum(t, a, 0, c);
  Difference(d, d, 0, t, 0, kP52Times4);  // half of the formula's D, below 6p
  Sum(e, a, 1, a);                        // 3a
  Mul(p.z, p.y, p.z);
  Sum(p.z, p.z, 0, p.z);
  Square(t, e);
  Difference(p.x, t, 0, d, 2, kP52Times64);
  Difference(t, d, 1, p.x, 0, kP52Times128);
  Mul(t, t, e);
  Difference(p.y, t, 0, c, 3, kP52Times64);
}

// p = p + q, 12 products and 4 squares; z is 0 for p = q, too.
SLIPWAY_IFMA void Add(Jacobian8& p, const Jacobian8& q) {
  Fp8 h, r, s, t, u, v;
  Square(t, q.z);
  Mul(u, p.x, t);
  Mul(t, t, q.z);
  Mul(s, p.y, t);
  Square(t, p.z);
  Mul(h, q.x, t);
  Mul(t, t, p.z);
  Mul(r, q.y, t);
  Difference(h, h, 0, u, 0, kP52Times4);
  Difference(r, r, 0, s, 0, kP52Times4);
  Mul(p.z, p.z, q.z);
  Mul(p.z, p.z, h);
  Square(t, h);
  Mul(v, u, t);
  Mul(h, h, t);  // its cube
  Square(t, r);
  Sum(u, v, 1, h);
  Difference(p.x, t, 0, u, 0, kP52Times64);
  Difference(t, v, 0, p.x, 0, kP52Times128);
  Mul(t, t, r);
  Mul(s, s, h);
  Difference(p.y, t, 0, s, 0, kP52Times4);
}

// p = [|x|] p by doubling and adding from the second bit on.
SLIPWAY_IFMA void MultiplyByParameter(Jacobian8& p) {
  const Jacobian8 base = p;
  for (int bit = 62; bit >= 0; --bit) {
    Double(p);
    if ((kParameter >> bit & 1) != 0) Add(p, base);
  }
}

// out = a, loaded, below 2p.
SLIPWAY_IFMA_INLINE void LoadReduced(Fp8& out, const Fp* in) {
  Fp8 one;
  SetAll(one, kOne52);
  Load(out, in);
  Mul(out, out, one);
}

}  // namespace

SLIPWAY_IFMA void ParameterSquaredTimesIfma(JacobianPoint* out, const Fp* x, const Fp* y,
                                            size_t blocks) {
  for (; blocks > 0; --blocks, out += kLanes, x += kLanes, y += kLanes) {
    Jacobian8 p;
    LoadReduced(p.x, x);
    LoadReduced(p.y, y);
    SetAll(p.z, kOne52);
    MultiplyByParameter(p);
    MultiplyByParameter(p);
    __m512i rows[kLanes];
    LowerToRows(rows, p.x);
    for (size_t lane = 0; lane < kLanes; ++lane) StoreRow(out[lane].x, rows[lane]);
    LowerToRows(rows, p.y);
    for (size_t lane = 0; lane < kLanes; ++lane) StoreRow(out[lane].y, rows[lane]);
    LowerToRows(rows, p.z);
    for (size_t lane = 0; lane < kLanes; ++lane) StoreRow(out[lane].z, rows[lane]);
  }
}

// Windows of five bits that slide over zeros, as in power.h.
SLIPWAY_IFMA void RootCandidatesIfma(Fp* roots, const Fp* squares, size_t blocks) {
  for (; blocks > 0; --blocks, roots += kLanes, squares += kLanes) {
    Fp8 odd[1 << (kWindow - 1)];
    LoadReduced(odd[0], squares);
    Fp8 root;
    Square(root, odd[0]);
    for (int i = 1; i < 1 << (kWindow - 1); ++i) Mul(odd[i], odd[i - 1], root);
    bool started = false;
    for (int left = kRootBits; left > 0;) {
      int low = left - 1;
      int digit = 0;
      if (BitOf(kRootExponent, low) != 0) {
        low = left > kWindow ? left - kWindow : 0;
        while (BitOf(kRootExponent, low) == 0) ++low;
        for (int i = left; i-- > low;) digit = 2 * digit + BitOf(kRootExponent, i);
      }
      for (; left > low; --left) {
        if (started) Square(root, root);
      }
      if (digit == 0) continue;
      if (started) {
        Mul(root, root, odd[digit / 2]);
      } else {
        root = odd[digit / 2];
      }
      started = true;
    }
    __m512i rows[kLanes];
    LowerToRows(rows, root);
    for (size_t lane = 0; lane < kLanes; ++lane) StoreRow(roots[lane], rows[lane]);
  }
}

}  // namespace slipway::bls12_381::internal

#endif
