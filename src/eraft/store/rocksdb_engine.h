// The engine over RocksDB, the default (E150). Durable by flushes alone: RocksDB's own log is off,
// since the Raft log is the truth (E151).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "eraft/store/disk_room.h"
#include "eraft/store/engine.h"

namespace slipway::eraft {

enum class Compression : uint8_t { kNone, kSnappy, kLz4, kZstd };

// E33; the block cache is shared by all engines of one home.
struct RocksDbOptions {
  uint64_t block_cache_bytes = uint64_t{256} << 20;
  uint64_t write_buffer_bytes = uint64_t{64} << 20;
  int threads = 2;  // of flushes and compactions; the process shares them
  Compression compression = Compression::kLz4;
  int bloom_bits = 10;            // per key; 0: no filter
  uint64_t rate_limit_bytes = 0;  // per second, of compactions and flushes; 0: none
  FreeBytes free_bytes;           // where the data directory is
};

// `root`: absolute path of the data directory, which exists.
std::unique_ptr<EngineHome> RocksDbHome(std::string root, RocksDbOptions options = {});

}  // namespace slipway::eraft
