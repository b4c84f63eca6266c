// The table of Fp's kernels, filled once for the active back end (backend.h). Internal to this
// folder. All kernels of a row give the same bits; `out` may be an operand except in wide products.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::bls12_381 {
struct Fp;
}

namespace slipway::bls12_381::internal {

struct FpKernels {
  // out = a * b / 2^384 mod p, canonical; a < 4p, a * b < p * 2^384.
  void (*mul)(uint64_t* out, const uint64_t* a, const uint64_t* b);
  // out = a^2 / 2^384 mod p, canonical; a < 3p.
  void (*sqr)(uint64_t* out, const uint64_t* a);
  // out[12] = a * b, of any values.
  void (*mul_wide)(uint64_t* out, const uint64_t* a, const uint64_t* b);
  void (*sqr_wide)(uint64_t* out, const uint64_t* a);
  // out = wide / 2^384 mod p, canonical; wide[12] < p * 2^384.
  void (*redc_wide)(uint64_t* out, const uint64_t* wide);
};

// Read by every product, written by ForceBackend and before main. Starts as the portable kernels,
// so that a constant computed before main is right, too.
[[gnu::visibility("hidden")]] extern FpKernels g_fp_kernels;
// Whether Fr's inlined product may use MULX, ADCX and ADOX.
[[gnu::visibility("hidden")]] extern bool g_use_adx;
// Whether batches may use AVX-512 IFMA.
[[gnu::visibility("hidden")]] extern bool g_use_ifma;

// Where g_use_ifma, on `blocks` times eight canonical elements; `out` may be an operand.
void MulBlocksIfma(Fp* out, const Fp* a, const Fp* b, size_t blocks);
void SquareBlocksIfma(Fp* out, const Fp* a, size_t blocks);

}  // namespace slipway::bls12_381::internal
