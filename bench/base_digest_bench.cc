// Hash functions on data in memory. ZP3 is Small/slipway against Small/portable_compression.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>

#include "base/digest/blake3.h"
#include "base/digest/blake3_kernel.h"
#include "base/digest/crc32c.h"
#include "base/digest/crc32c_kernel.h"
#include "base/digest/dual.h"
#include "base/digest/sha256.h"
#include "base/digest/xxh3.h"

namespace slipway::base {
namespace {

Bytes RandomBytes(size_t size) {
  std::mt19937_64 random(1);
  Bytes data(size);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random());
  return data;
}

template <class Hash>
void Run(benchmark::State& state, Hash hash) {
  const Bytes input = RandomBytes(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(hash(BytesView(input)));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void Kernel(benchmark::State& state, Blake3Kernel kernel) {
  ForceBlake3Kernel(kernel);
  Run(state, [](BytesView data) { return Blake3Of(data); });
  ForceBlake3Kernel(Blake3Kernels().back());
}

DualDigest Dual(BytesView data) {
  DualHash hash;
  hash.Update(data);
  return hash.Finish();
}

// What a 64-byte hash cannot do without.
Blake3Digest PortableCompression(BytesView data) {
  uint32_t cv[8];
  std::memcpy(cv, blake3::kIv, sizeof(cv));
  blake3::Compress(cv, data.data(), blake3::kBlockBytes, 0,
                   blake3::kChunkStart | blake3::kChunkEnd | blake3::kRoot);
  Blake3Digest digest;
  std::memcpy(digest.data(), cv, digest.size());
  return digest;
}

void RegisterAll() {
  const auto add = [](const char* name, auto hash) {
    return benchmark::RegisterBenchmark(name,
                                        [hash](benchmark::State& state) { Run(state, hash); });
  };
  for (const Blake3Kernel kernel : Blake3Kernels()) {
    const std::string name = "Blake3/" + std::string(Blake3KernelName(kernel));
    benchmark::RegisterBenchmark(name.c_str(),
                                 [kernel](benchmark::State& state) { Kernel(state, kernel); })
        ->Arg(1 << 10)
        ->Arg(1 << 12)
        ->Arg(1 << 14)
        ->Arg(1 << 17)
        ->Arg(1 << 26);
  }
  add("Small/portable_compression", &PortableCompression)->Arg(64);
  add("Small/slipway", [](BytesView data) { return Blake3Of(data); })->Arg(0)->Arg(64)->Arg(1024);
  add("Sha256/openssl", &Sha256Of)->Arg(64)->Arg(1 << 17)->Arg(1 << 26);
  add("Dual/slipway", &Dual)->Arg(1 << 17)->Arg(1 << 26);
  add("Crc32c/table", [](BytesView data) { return crc32c::ByTable(data, 0); })->Arg(1 << 17);
  add("Crc32c/slipway", [](BytesView data) { return Crc32c(data); })->Arg(64)->Arg(1 << 17);
  add("Xxh3/libxxhash", &Xxh3Of)->Arg(1 << 17);
}

}  // namespace
}  // namespace slipway::base

int main(int argc, char** argv) {
  slipway::base::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
