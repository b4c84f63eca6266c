#include "bls12_381/backend.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <vector>

#include "bls12_381/fp.h"
#include "bls12_381/kernels.h"
#include "bls12_381/limbs.h"

namespace slipway::bls12_381 {
namespace internal {
namespace {

void PortableMul(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  MontgomeryMul<6>(out, a, b, kFpModulus, kFpInverse);
}
void PortableSqr(uint64_t* out, const uint64_t* a) {
  MontgomeryMul<6>(out, a, a, kFpModulus, kFpInverse);
}
void PortableMulWide(uint64_t* out, const uint64_t* a, const uint64_t* b) { MulFull<6>(out, a, b); }
void PortableSqrWide(uint64_t* out, const uint64_t* a) { MulFull<6>(out, a, a); }
void PortableRedcWide(uint64_t* out, const uint64_t* wide) {
  MontgomeryReduce<6>(out, wide, kFpModulus, kFpInverse);
}

constexpr FpKernels kPortableKernels = {&PortableMul, &PortableSqr, &PortableMulWide,
                                        &PortableSqrWide, &PortableRedcWide};

#if defined(__x86_64__)
extern "C" {  // fp_adx.S
void slipway_fp_adx_mul(uint64_t* out, const uint64_t* a, const uint64_t* b);
void slipway_fp_adx_sqr(uint64_t* out, const uint64_t* a);
void slipway_fp_adx_mul_wide(uint64_t* out, const uint64_t* a, const uint64_t* b);
void slipway_fp_adx_sqr_wide(uint64_t* out, const uint64_t* a);
void slipway_fp_adx_redc_wide(uint64_t* out, const uint64_t* wide);
}

constexpr FpKernels kAdxKernels = {&slipway_fp_adx_mul, &slipway_fp_adx_sqr,
                                   &slipway_fp_adx_mul_wide, &slipway_fp_adx_sqr_wide,
                                   &slipway_fp_adx_redc_wide};

bool HasAdx() {
  // __builtin_cpu_supports of GCC 12 does not know ADX: leaf 7, EBX bit 19; BMI2 is bit 8.
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  return (b & (1u << 19)) != 0 && (b & (1u << 8)) != 0;
}

// This test asks the operating system too, whether it saves the wide registers.
bool HasIfma() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi");
}
#endif

std::vector<CpuBackend> FindBackends() {
  std::vector<CpuBackend> found = {CpuBackend::kPortable};
#if defined(__x86_64__)
  if (HasAdx()) {
    found.push_back(CpuBackend::kAdx);
    if (HasIfma()) found.push_back(CpuBackend::kIfma);
  }
#endif
  return found;
}

CpuBackend g_active = CpuBackend::kPortable;

}  // namespace

FpKernels g_fp_kernels = kPortableKernels;
bool g_use_adx = false;
bool g_use_ifma = false;

}  // namespace internal

absl::Span<const CpuBackend> CpuBackends() {
  static const std::vector<CpuBackend> backends = internal::FindBackends();
  return backends;
}

CpuBackend ActiveBackend() { return internal::g_active; }

bool ForceBackend(CpuBackend backend) {
  const absl::Span<const CpuBackend> runnable = CpuBackends();
  if (std::find(runnable.begin(), runnable.end(), backend) == runnable.end()) return false;
  internal::g_active = backend;
  internal::g_use_adx = backend != CpuBackend::kPortable;
  internal::g_use_ifma = backend == CpuBackend::kIfma;
  internal::g_fp_kernels = internal::kPortableKernels;
#if defined(__x86_64__)
  if (internal::g_use_adx) internal::g_fp_kernels = internal::kAdxKernels;
#endif
  return true;
}

namespace {
// Before main. Whatever computes earlier still has the portable kernels, which give the same.
[[maybe_unused]] const bool g_best_is_chosen = ForceBackend(CpuBackends().back());
}  // namespace

absl::string_view CpuBackendName(CpuBackend backend) {
  switch (backend) {
    case CpuBackend::kPortable:
      return "portable";
    case CpuBackend::kAdx:
      return "adx";
    case CpuBackend::kIfma:
      return "ifma";
  }
  return "unknown";
}

}  // namespace slipway::bls12_381
