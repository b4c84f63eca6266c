#include <algorithm>
#include <atomic>
#include <vector>

#include "base/check.h"
#include "base/digest/blake3_kernel.h"

namespace slipway::base {
namespace blake3 {
namespace {

const Kernel* FindKernel(Blake3Kernel id) {
  switch (id) {
    case Blake3Kernel::kPortable:
      return &kPortableKernel;
#if defined(__x86_64__)
    case Blake3Kernel::kSse41:
      return &kSse41Kernel;
    case Blake3Kernel::kAvx2:
      return &kAvx2Kernel;
    case Blake3Kernel::kAvx512:
      return &kAvx512Kernel;
#else
    default:
      break;
#endif
  }
  return nullptr;
}

std::atomic<const Kernel*> g_active{nullptr};

}  // namespace

const Kernel& ActiveKernel() {
  const Kernel* active = g_active.load(std::memory_order_relaxed);
  if (active == nullptr) {
    // Several threads may come here at once: they all store the same.
    active = FindKernel(Blake3Kernels().back());
    g_active.store(active, std::memory_order_relaxed);
  }
  return *active;
}

}  // namespace blake3

absl::Span<const Blake3Kernel> Blake3Kernels() {
  static const std::vector<Blake3Kernel> kernels = [] {
    std::vector<Blake3Kernel> found = {Blake3Kernel::kPortable};
#if defined(__x86_64__)
    // Each needs what the narrower ones need, for it gives them its remainders. These tests ask the
    // operating system too, whether it saves the wide registers.
    if (__builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1")) {
      found.push_back(Blake3Kernel::kSse41);
      if (__builtin_cpu_supports("avx2")) {
        found.push_back(Blake3Kernel::kAvx2);
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
          found.push_back(Blake3Kernel::kAvx512);
        }
      }
    }
#endif
    return found;
  }();
  return kernels;
}

void ForceBlake3Kernel(Blake3Kernel kernel) {
  const absl::Span<const Blake3Kernel> runnable = Blake3Kernels();
  SLIPWAY_CHECK(std::find(runnable.begin(), runnable.end(), kernel) != runnable.end());
  blake3::g_active.store(blake3::FindKernel(kernel), std::memory_order_relaxed);
}

absl::string_view Blake3KernelName(Blake3Kernel kernel) {
  switch (kernel) {
    case Blake3Kernel::kPortable:
      return "portable";
    case Blake3Kernel::kSse41:
      return "sse4.1";
    case Blake3Kernel::kAvx2:
      return "avx2";
    case Blake3Kernel::kAvx512:
      return "avx512";
  }
  return "unknown";
}

}  // namespace slipway::base
