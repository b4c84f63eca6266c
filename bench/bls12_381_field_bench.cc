// The fields of BLS12-381 under each back end of the machine. KP2 counts in u, the time of one step
// of a dependent chain of additions with carry in the same run: the counter `u` of each row.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "bls12_381/backend.h"
#include "bls12_381/fp.h"
#include "bls12_381/fp_wide.h"
#include "bls12_381/fr.h"
#include "bls12_381/fr_fft.h"

namespace slipway::bls12_381 {
namespace {

double CpuNanoseconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// The best of several runs: what is slower was disturbed.
double AdcStepNanoseconds() {
  double best = 1;
#if defined(__x86_64__)
  constexpr int kRounds = 20000;
  for (int run = 0; run < 25; ++run) {
    const double start = CpuNanoseconds();
    for (int i = 0; i < kRounds; ++i) {
      asm volatile(
          ".rept 100\n\t"
          "adcq %%rcx, %%rbx\n\t"
          ".endr"
          :
          :
          : "rbx", "rcx", "cc");
    }
    best = std::min(best, (CpuNanoseconds() - start) / (100.0 * kRounds));
  }
#endif
  return best;
}

constexpr size_t kBatch = 512;

template <class Field>
std::vector<Field> Values() {
  std::vector<Field> values(kBatch);
  Field x = Field::FromUint64(7).Inverse();
  for (Field& value : values) value = x = x * x + Field::One();
  return values;
}

// Runs `step` on `per_step` operations and counts in u.
template <class Step>
void Run(benchmark::State& state, CpuBackend backend, double per_step, Step step) {
  const CpuBackend before = ActiveBackend();
  ForceBackend(backend);
  const double start = CpuNanoseconds();
  for (auto _ : state) step();
  const double nanoseconds = CpuNanoseconds() - start;
  const double count = static_cast<double>(state.iterations()) * per_step;
  state.SetItemsProcessed(static_cast<int64_t>(count));
  state.counters["ns"] = nanoseconds / count;
  state.counters["u"] = nanoseconds / count / AdcStepNanoseconds();
  ForceBackend(before);
}

template <class Step>
void Add(const std::string& name, CpuBackend backend, double per_step, Step step) {
  benchmark::RegisterBenchmark(
      (name + "/" + std::string(CpuBackendName(backend))).c_str(),
      [=](benchmark::State& state) { Run(state, backend, per_step, step); });
}

// One value that goes through 1000 operations, and eight that take turns: what the latency is, and
// what the throughput.
template <class Field, class Operation>
void AddBoth(const std::string& name, CpuBackend backend, Operation operation) {
  constexpr int kSteps = 1000;
  const std::vector<Field> values = Values<Field>();
  Add(name + "/dependent", backend, kSteps, [=] {
    Field x = values[0];
    for (int i = 0; i < kSteps; ++i) x = operation(x, values[1]);
    benchmark::DoNotOptimize(x);
  });
  Add(name + "/independent", backend, kSteps, [=] {
    Field x[8];
    std::copy(values.begin(), values.begin() + 8, x);
    for (int i = 0; i < kSteps; ++i) x[i % 8] = operation(x[i % 8], values[9]);
    benchmark::DoNotOptimize(x);
  });
}

void AddAll(CpuBackend backend) {
  AddBoth<Fp>("FpMul", backend, [](const Fp& x, const Fp& y) { return x * y; });
  AddBoth<Fp>("FpSquare", backend, [](const Fp& x, const Fp& y) {
    static_cast<void>(y);
    return x.Square();
  });
  AddBoth<Fp>("FpAdd", backend, [](const Fp& x, const Fp& y) { return x + y; });
  AddBoth<Fr>("FrMul", backend, [](const Fr& x, const Fr& y) { return x * y; });
  const std::vector<Fp> a = Values<Fp>();
  const std::vector<Fr> b = Values<Fr>();
  Add("FpMulBatch", backend, kBatch,
      [a, out = a]() mutable { MulBatch(absl::MakeSpan(out), a, a); });
  Add("FpMulWide", backend, 1, [a] { benchmark::DoNotOptimize(MulWide(a[0], a[1])); });
  Add("FpReduce", backend, 1, [w = MulWide(a[0], a[1])] { benchmark::DoNotOptimize(Reduce(w)); });
  Add("FpInverse", backend, 1, [x = a[0]]() mutable { x = x.Inverse() + Fp::One(); });
  Add("FpSqrt", backend, 1, [x = a[0].Square()] { benchmark::DoNotOptimize(x.Sqrt()); });
  Add("FrInverse", backend, 1, [x = b[0]]() mutable { x = x.Inverse() + Fr::One(); });
  Add("FrBatchInverse", backend, kBatch, [x = b]() mutable { BatchInverse(absl::MakeSpan(x)); });
  for (const int log2 : {6, 7, 12, 13}) {
    const std::string name = "FrFft" + std::to_string(size_t{1} << log2);
    Add(name, backend, 1,
        [fft = Fft(log2), x = std::vector<Fr>(size_t{1} << log2, b[0])]() mutable {
          fft.Forward(absl::MakeSpan(x));
        });
  }
}

}  // namespace
}  // namespace slipway::bls12_381

int main(int argc, char** argv) {
  for (const slipway::bls12_381::CpuBackend backend : slipway::bls12_381::CpuBackends()) {
    slipway::bls12_381::AddAll(backend);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
