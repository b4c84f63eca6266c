// Points, sums and pairings of BLS12-381, under the back end that SLIPWAY_BENCH_CPU names
// (portable, adx, ifma; default: the best). One thread.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "bls12_381/backend.h"
#include "bls12_381/batch_affine.h"
#include "bls12_381/encoding.h"
#include "bls12_381/fixed_base_table.h"
#include "bls12_381/msm.h"
#include "bls12_381/pairing.h"

namespace slipway::bls12_381 {
namespace {

std::vector<Fr> Scalars(size_t count) {
  std::mt19937_64 random(1);
  std::vector<Fr> scalars(count);
  for (Fr& s : scalars) s = Fr::FromLimbs({random(), random(), random(), random()});
  return scalars;
}

std::vector<G1Affine> Points(size_t count) {
  std::vector<G1> points(count, G1::Generator());
  for (size_t i = 1; i < count; ++i) points[i] = points[i - 1].Double() + points[0];
  std::vector<G1Affine> affine(count);
  G1::BatchToAffine(points, absl::MakeSpan(affine));
  return affine;
}

void BM_Double(benchmark::State& state) {
  G1 p = G1::Generator();
  for (auto _ : state) benchmark::DoNotOptimize(p = p.Double());
}
BENCHMARK(BM_Double);

void BM_AddMixed(benchmark::State& state) {
  G1 p = G1::Generator().Double();
  const G1Affine q = G1Affine::Generator();
  for (auto _ : state) benchmark::DoNotOptimize(p = p + q);
}
BENCHMARK(BM_AddMixed);

// One addition of a batch of 4096; items/s is additions a second.
void BM_AddBatched(benchmark::State& state) {
  constexpr size_t kCount = 4096;
  const std::vector<G1Affine> points = Points(2 * kCount);
  std::vector<G1Entry> in(2 * kCount);
  for (size_t i = 0; i < in.size(); ++i) in[i] = G1Entry::FromAffine(points[i]);
  std::vector<G1Entry> out(kCount);
  BatchAdder adder;
  for (auto _ : state) {
    for (size_t i = 0; i < kCount; ++i) adder.Add(in[2 * i], in[2 * i + 1], &out[i]);
    adder.Flush();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCount));
}
BENCHMARK(BM_AddBatched)->Unit(benchmark::kMicrosecond);

void BM_Multiply(benchmark::State& state) {
  const Fr scalar = Scalars(1)[0];
  for (auto _ : state) benchmark::DoNotOptimize(G1::Generator() * scalar);
}
BENCHMARK(BM_Multiply)->Unit(benchmark::kMicrosecond);

void BM_MultiplyGenerator(benchmark::State& state) {
  const Fr scalar = Scalars(1)[0];
  for (auto _ : state) benchmark::DoNotOptimize(MultiplyGenerator(scalar));
}
BENCHMARK(BM_MultiplyGenerator)->Unit(benchmark::kMicrosecond);

void BM_Decompress(benchmark::State& state) {
  uint8_t bytes[kG1Bytes];
  Compress(Points(9)[8], absl::MakeSpan(bytes));
  G1Affine point;
  for (auto _ : state) benchmark::DoNotOptimize(DecompressG1Unchecked(bytes, &point));
}
BENCHMARK(BM_Decompress)->Unit(benchmark::kMicrosecond);

void BM_SubgroupCheck(benchmark::State& state) {
  const G1Affine point = Points(9)[8];
  for (auto _ : state) benchmark::DoNotOptimize(point.IsInSubgroup());
}
BENCHMARK(BM_SubgroupCheck)->Unit(benchmark::kMicrosecond);

// Decompression with the subgroup check, a list at a time; items/s is points a second.
void BM_DecompressList(benchmark::State& state) {
  const std::vector<G1Affine> points = Points(static_cast<size_t>(state.range(0)));
  std::vector<std::array<uint8_t, kG1Bytes>> bytes(points.size());
  std::vector<absl::Span<const uint8_t>> views;
  for (size_t i = 0; i < points.size(); ++i) {
    Compress(points[i], absl::MakeSpan(bytes[i]));
    views.emplace_back(bytes[i]);
  }
  std::vector<G1Affine> decoded(points.size());
  std::vector<PointError> errors(points.size());
  for (auto _ : state) {
    DecompressG1List(views, absl::MakeSpan(decoded), absl::MakeSpan(errors));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_DecompressList)->Arg(1)->Arg(16)->Arg(32)->Arg(128)->Unit(benchmark::kMicrosecond);

void BM_MillerLoop(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  const std::vector<G1Affine> points = Points(count);
  const G2Prepared prepared(G2Affine::Generator());
  const std::vector<const G2Prepared*> lines(count, &prepared);
  for (auto _ : state) benchmark::DoNotOptimize(MillerLoop(points, lines));
}
BENCHMARK(BM_MillerLoop)->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond);

void BM_FinalExponentiation(benchmark::State& state) {
  const G2Prepared prepared(G2Affine::Generator());
  const G2Prepared* const pointer = &prepared;
  const G1Affine point = G1Affine::Generator();
  const Fp12 f = MillerLoop({&point, 1}, {&pointer, 1});
  for (auto _ : state) benchmark::DoNotOptimize(FinalExponentiation(f));
}
BENCHMARK(BM_FinalExponentiation)->Unit(benchmark::kMicrosecond);

void BM_PrepareG2(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(G2Prepared(G2Affine::Generator()));
}
BENCHMARK(BM_PrepareG2)->Unit(benchmark::kMicrosecond);

void BM_Msm(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  const std::vector<G1Affine> points = Points(count);
  const std::vector<Fr> scalars = Scalars(count);
  for (auto _ : state) benchmark::DoNotOptimize(Msm(points, scalars));
}
BENCHMARK(BM_Msm)->Arg(2)->Arg(8)->Arg(16)->Arg(24)->Arg(32)->Arg(64)->Arg(128)->Arg(4096)->Unit(
    benchmark::kMicrosecond);

// The commitment to a blob: 4096 points, by window.
void BM_FixedBase(benchmark::State& state) {
  constexpr size_t kCount = 4096;
  const std::vector<Fr> scalars = Scalars(kCount);
  const FixedBaseTable table({1, kCount, static_cast<int>(state.range(0))}, Points(kCount),
                             CallerAlone());
  for (auto _ : state) benchmark::DoNotOptimize(table.Multiply(scalars, CallerAlone()));
}
BENCHMARK(BM_FixedBase)->Arg(12)->Arg(13)->Arg(14)->Unit(benchmark::kMillisecond);

// The sums of the cell proofs: 128 rows of 64 points, by window.
void BM_FixedBaseRows(benchmark::State& state) {
  constexpr size_t kRows = 128;
  constexpr size_t kColumns = 64;
  const std::vector<Fr> scalars = Scalars(kRows * kColumns);
  const FixedBaseTable table({kRows, kColumns, static_cast<int>(state.range(0))},
                             Points(kRows * kColumns), CallerAlone());
  std::vector<G1Affine> sums(kRows);
  for (auto _ : state) table.MultiplyRows(scalars, absl::MakeSpan(sums), CallerAlone());
}
BENCHMARK(BM_FixedBaseRows)->Arg(8)->Arg(9)->Arg(10)->Unit(benchmark::kMillisecond);

void BM_BuildTable(benchmark::State& state) {
  const std::vector<G1Affine> points = Points(4096);
  for (auto _ : state) {
    benchmark::DoNotOptimize(FixedBaseTable({1, 4096, 13}, points, CallerAlone()));
  }
}
BENCHMARK(BM_BuildTable)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway::bls12_381

int main(int argc, char** argv) {
  using slipway::bls12_381::CpuBackend;
  if (const char* name = std::getenv("SLIPWAY_BENCH_CPU")) {
    for (const CpuBackend backend : slipway::bls12_381::CpuBackends()) {
      if (slipway::bls12_381::CpuBackendName(backend) == name) {
        slipway::bls12_381::ForceBackend(backend);
      }
    }
  }
  const auto active = slipway::bls12_381::CpuBackendName(slipway::bls12_381::ActiveBackend());
  std::fprintf(stderr, "back end: %.*s\n", static_cast<int>(active.size()), active.data());
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
