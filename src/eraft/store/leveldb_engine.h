// The engine over LevelDB (E150): writes are not synced, Flush syncs them (E151).
//
// LevelDB alone does not keep the engine's promise that a crash leaves a prefix of the writes: it
// does not sync a log that it turns away from, and it skips zeros in one. So its logs are written
// in frames of ours, each with a CRC chained to the one before: docs/formats/eraft-keys.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/files.h"
#include "eraft/store/disk_room.h"
#include "eraft/store/engine.h"

namespace slipway::eraft {

struct LevelDbOptions {
  uint64_t block_cache_bytes = uint64_t{256} << 20;
  uint64_t write_buffer_bytes = uint64_t{64} << 20;
  bool snappy = true;
  int bloom_bits = 10;   // per key; 0: no filter
  FreeBytes free_bytes;  // where the data directory is
};

// `root`: absolute path of the data directory, which exists; `dir` is the same, and outlives it.
std::unique_ptr<EngineHome> LevelDbHome(std::string root, base::Dir& dir,
                                        LevelDbOptions options = {});

}  // namespace slipway::eraft
