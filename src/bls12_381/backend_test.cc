// The choice of kernels, and the rules that their assembly keeps (spec 4.3, 4.7).
#include "bls12_381/backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <utility>

#include "bls12_381/kernels.h"
#include "bls12_381/test_field.h"

namespace slipway::bls12_381 {
namespace {

using testing::P;

TEST(CpuBackends, ArePortableFirstAndTheBestIsChosenBeforeMain) {
  ASSERT_FALSE(CpuBackends().empty());
  EXPECT_EQ(CpuBackends().front(), CpuBackend::kPortable);
  EXPECT_EQ(ActiveBackend(), CpuBackends().back());
}

TEST(CpuBackends, AreForcedOnlyWhereTheyRun) {
  const CpuBackend best = ActiveBackend();
  for (const CpuBackend backend : {CpuBackend::kPortable, CpuBackend::kAdx, CpuBackend::kIfma}) {
    const bool runs = std::count(CpuBackends().begin(), CpuBackends().end(), backend) == 1;
    EXPECT_EQ(ForceBackend(backend), runs) << CpuBackendName(backend);
    EXPECT_EQ(ActiveBackend() == backend, runs);
    EXPECT_TRUE(ForceBackend(best));
  }
  EXPECT_EQ(CpuBackendName(CpuBackend::kPortable), "portable");
  EXPECT_EQ(CpuBackendName(CpuBackend::kAdx), "adx");
  EXPECT_EQ(CpuBackendName(CpuBackend::kIfma), "ifma");
}

#if defined(__x86_64__)
// What the assembly below reads and writes, by offset.
struct Call {
  const void* function;
  const void* arguments[3];
  std::array<uint64_t, 6> saved;  // rbx, rbp, r12 to r15 before the call
  std::array<uint64_t, 6> after;
  uint64_t stack;
};

// Calls with junk in every register and both carry flags set. 128 bytes below the stack may be in
// use here.
void CallWithJunk(Call& call) {
  Call* context = &call;
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\t"
      "pushq %%rbx\n\t"
      "pushq %%rbp\n\t"
      "pushq %%r12\n\t"
      "pushq %%r13\n\t"
      "pushq %%r14\n\t"
      "pushq %%r15\n\t"
      "movq %%rsp, 128(%%rax)\n\t"
      "andq $-16, %%rsp\n\t"
      "pushq %%rax\n\t"
      "pushq %%rax\n\t"
      "movq 8(%%rax), %%rdi\n\t"
      "movq 16(%%rax), %%rsi\n\t"
      "movq 24(%%rax), %%rdx\n\t"
      "movq 32(%%rax), %%rbx\n\t"
      "movq 40(%%rax), %%rbp\n\t"
      "movq 48(%%rax), %%r12\n\t"
      "movq 56(%%rax), %%r13\n\t"
      "movq 64(%%rax), %%r14\n\t"
      "movq 72(%%rax), %%r15\n\t"
      "movq %%rbx, %%rcx\n\t"
      "movq %%r12, %%r8\n\t"
      "movq %%r13, %%r9\n\t"
      "movq %%r14, %%r10\n\t"
      "movl $0x7fffffff, %%r11d\n\t"
      "addl $1, %%r11d\n\t"  // sets OF
      "stc\n\t"
      "callq *(%%rax)\n\t"
      "popq %%rcx\n\t"
      "movq %%rbx, 80(%%rcx)\n\t"
      "movq %%rbp, 88(%%rcx)\n\t"
      "movq %%r12, 96(%%rcx)\n\t"
      "movq %%r13, 104(%%rcx)\n\t"
      "movq %%r14, 112(%%rcx)\n\t"
      "movq %%r15, 120(%%rcx)\n\t"
      "movq 128(%%rcx), %%rsp\n\t"
      "popq %%r15\n\t"
      "popq %%r14\n\t"
      "popq %%r13\n\t"
      "popq %%r12\n\t"
      "popq %%rbp\n\t"
      "popq %%rbx\n\t"
      "leaq 128(%%rsp), %%rsp"
      : "+a"(context)
      :
      : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");
}

class KernelTest : public testing::EachBackend {};
SLIPWAY_EACH_BACKEND(KernelTest);

// Whatever registers and flags hold, a kernel gives the bits of the portable one and leaves the
// registers of its caller as they were.
TEST_P(KernelTest, AssemblyKeepsToTheCallingConvention) {
  const internal::FpKernels kernels = internal::g_fp_kernels;
  ASSERT_TRUE(ForceBackend(CpuBackend::kPortable));
  const internal::FpKernels portable = internal::g_fp_kernels;
  std::mt19937_64 random(64);
  for (int round = 0; round < 2000; ++round) {
    uint64_t a[12];
    uint64_t b[6];
    // The wide reduction takes values below p * 2^384, the others below p.
    const Fp high = testing::StoredFp(testing::RandomInteger(random, 384) % P());
    const Fp low = testing::StoredFp(testing::RandomInteger(random, 384) % P());
    std::copy(low.limb, low.limb + 6, a);
    std::copy(high.limb, high.limb + 6, a + 6);
    std::copy(high.limb, high.limb + 6, b);
    const std::pair<const void*, const void*> functions[] = {
        {reinterpret_cast<const void*>(kernels.mul), reinterpret_cast<const void*>(portable.mul)},
        {reinterpret_cast<const void*>(kernels.sqr), reinterpret_cast<const void*>(portable.sqr)},
        {reinterpret_cast<const void*>(kernels.mul_wide),
         reinterpret_cast<const void*>(portable.mul_wide)},
        {reinterpret_cast<const void*>(kernels.sqr_wide),
         reinterpret_cast<const void*>(portable.sqr_wide)},
        {reinterpret_cast<const void*>(kernels.redc_wide),
         reinterpret_cast<const void*>(portable.redc_wide)}};
    for (const auto& [function, oracle] : functions) {
      std::array<uint64_t, 14> out;
      std::array<uint64_t, 14> expected;
      out.fill(0x5a5a5a5a5a5a5a5a);
      expected.fill(0x5a5a5a5a5a5a5a5a);
      Call call = {function, {out.data() + 1, a, b}, {}, {}, 0};
      for (uint64_t& value : call.saved) value = random();
      CallWithJunk(call);
      EXPECT_EQ(call.after, call.saved);
      // Portable functions take two or three arguments alike in this convention.
      reinterpret_cast<void (*)(uint64_t*, const uint64_t*, const uint64_t*)>(
          const_cast<void*>(oracle))(expected.data() + 1, a, b);
      EXPECT_EQ(out, expected);  // the words around the result too
    }
    if (HasFailure()) return;
  }
}
#endif

}  // namespace
}  // namespace slipway::bls12_381
