// The peer of E307: RocksDB alone, synced puts by many threads, which share its groups of writes.
//
//   rocksdb_puts FOLDER THREADS SECONDS VALUE_BYTES KEYS
#include <rocksdb/db.h>

#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using Steady = std::chrono::steady_clock;

std::string RandomBytes(size_t count) {
  std::mt19937_64 random(1);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() >> 56);
  return bytes;
}

// Puts until `end`; how many.
uint64_t Put(rocksdb::DB& db, uint64_t seed, size_t value_bytes, uint64_t keys,
             Steady::time_point end) {
  const std::string pool = RandomBytes(1 << 20);
  std::mt19937_64 random(seed);
  rocksdb::WriteOptions options;
  options.sync = true;
  uint64_t puts = 0;
  for (; Steady::now() < end; ++puts) {
    char key[32];
    snprintf(key, sizeof key, "key-%08" PRIu64, random() % keys);
    const rocksdb::Slice value(pool.data() + random() % (pool.size() - value_bytes), value_bytes);
    const rocksdb::Status status = db.Put(options, key, value);
    if (!status.ok()) {
      fprintf(stderr, "%s\n", status.ToString().c_str());
      exit(1);
    }
  }
  return puts;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: rocksdb_puts FOLDER THREADS SECONDS VALUE_BYTES KEYS\n");
    return 2;
  }
  const int threads = atoi(argv[2]);
  const double seconds = atof(argv[3]);
  const size_t value_bytes = strtoull(argv[4], nullptr, 10);
  const uint64_t keys = strtoull(argv[5], nullptr, 10);
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  if (const rocksdb::Status status = rocksdb::DB::Open(options, argv[1], &raw); !status.ok()) {
    fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  const std::unique_ptr<rocksdb::DB> db(raw);
  std::atomic<uint64_t> puts = 0;
  std::vector<std::thread> workers;
  const auto begin = Steady::now();
  const auto end =
      begin + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back(
        [&, i] { puts += Put(*db, static_cast<uint64_t>(i), value_bytes, keys, end); });
  }
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> took = Steady::now() - begin;
  printf("{\"puts\":%" PRIu64 ",\"seconds\":%.6f}\n", puts.load(), took.count());
  return 0;
}
