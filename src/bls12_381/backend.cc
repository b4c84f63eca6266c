#include "bls12_381/backend.h"

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
CpuBackend g_active = CpuBackend::kPortable;

}  // namespace

FpKernels g_fp_kernels = kPortableKernels;
bool g_use_adx = false;
bool g_use_ifma = false;

}  // namespace internal

absl::Span<const CpuBackend> CpuBackends() {
  static const std::vector<CpuBackend> backends = {CpuBackend::kPortable};
  return backends;
}

CpuBackend ActiveBackend() { return internal::g_active; }

bool ForceBackend(CpuBackend backend) {
  const absl::Span<const CpuBackend> runnable = CpuBackends();
  if (std::find(runnable.begin(), runnable.end(), backend) == runnable.end()) return false;
  internal::g_active = backend;
  return true;
}

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
