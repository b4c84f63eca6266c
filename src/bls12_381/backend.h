// Which kernels the arithmetic runs on. The best ones that processor and operating system offer are
// chosen before main; all of them give the same bits.
// ForceBackend is for programs at start and for tests: not while another thread computes.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace slipway::bls12_381 {

enum class CpuBackend {
  kPortable,  // C++ alone, any processor
  kAdx,       // x86-64 with MULX, ADCX and ADOX (BMI2, ADX)
  kIfma,      // kAdx, and eight lanes of AVX-512 IFMA for batches
};

// What this machine can run, worst first; never empty.
absl::Span<const CpuBackend> CpuBackends();

CpuBackend ActiveBackend();

// Switches to `backend`; false, and nothing changed, if this machine cannot run it.
bool ForceBackend(CpuBackend backend);

// "portable", "adx", "ifma".
absl::string_view CpuBackendName(CpuBackend backend);

}  // namespace slipway::bls12_381
