// store_load: the disk store in this process, without network (ZP19: group commit with many
// writers).
//
//   store_load fill ROOT COUNT SEED            blobs of 4 KiB, not synced each
//   store_load put  ROOT COUNT SEED THREADS    durable (batch), each thread one blob at a time
//   store_load get  ROOT COUNT SEED THREADS    reads them whole, verified beforehand
//
// Prints one line of JSON: {"seconds", "count"}.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/metrics/metrics.h"
#include "base/os/world.h"
#include "blobs.h"
#include "cas/blob_store.h"
#include "cas/store/lmdb_index.h"
#include "cas/store/stores.h"

namespace {

using namespace slipway;  // NOLINT: a main

constexpr size_t kBlobBytes = 4096;

struct Blob {
  cas::Digest digest;
  base::Bytes bytes;
};

std::vector<Blob> Make(uint64_t count, uint64_t seed) {
  std::vector<Blob> blobs(count);
  for (uint64_t i = 0; i < count; ++i) {
    blobs[i].bytes = bench::BlobOf(seed, i, kBlobBytes);
    blobs[i].digest = cas::DigestOf(blobs[i].bytes);
  }
  return blobs;
}

void InThreads(size_t threads, const std::vector<Blob>& blobs,
               const std::function<void(const Blob&)>& work) {
  std::atomic<size_t> next{0};
  std::vector<std::thread> workers;
  for (size_t i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (size_t at = next++; at < blobs.size(); at = next++) work(blobs[at]);
    });
  }
  for (std::thread& worker : workers) worker.join();
}

void Put(cas::BlobStore& store, const Blob& blob) {
  const absl::Status status = cas::PutBytes(store, blob.digest, blob.bytes);
  if (!status.ok()) std::fprintf(stderr, "store_load: %s\n", status.ToString().c_str());
  SLIPWAY_CHECK(status.ok());
}

void Get(cas::BlobStore& store, const Blob& blob) {
  const auto bytes = cas::GetBytes(store, blob.digest, kBlobBytes);
  SLIPWAY_CHECK(bytes.ok());
  SLIPWAY_CHECK(*bytes == blob.bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s fill|put|get ROOT COUNT SEED [THREADS]\n", argv[0]);
    return 2;
  }
  base::os::World world({.block_signals = false});
  base::Metrics metrics;
  const std::string mode = argv[1];
  const size_t threads = argc > 5 ? std::strtoul(argv[5], nullptr, 10) : 1;
  const std::vector<Blob> blobs =
      Make(std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10));
  cas::DiskStoreOptions options;
  options.durability = mode == "fill" ? cas::Durability::kNone : cas::Durability::kBatch;
  base::Files& files = world.world().files;
  auto store =
      cas::OpenDiskStore(argv[2], options, files, world.world().clock, world.world().pool, metrics,
                         [&](const std::string& root) { return cas::OpenLmdbIndex(files, root); });
  if (!store.ok()) {
    std::fprintf(stderr, "store_load: %s\n", store.status().ToString().c_str());
    return 1;
  }
  const bool read = mode == "get";
  if (read) InThreads(threads, blobs, [&](const Blob& blob) { Get(**store, blob); });
  const auto begin = std::chrono::steady_clock::now();
  InThreads(threads, blobs,
            [&](const Blob& blob) { read ? Get(**store, blob) : Put(**store, blob); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (mode == "fill") sync();
  std::printf("{\"seconds\": %.6f, \"count\": %zu}\n", seconds.count(), blobs.size());
  return 0;
}
