// The real world, built first in main and handed down from there.
#pragma once

#include <memory>

#include "base/world.h"

namespace slipway::base::os {

struct WorldOptions {
  int pool_threads = 0;  // 0: one a core, at least 2
  size_t pool_queue_max = 1024;
  bool block_signals = true;  // for CancelOnSignals; false: the default actions stay
  // Blocks of a MiB and more go back to the system when they are freed; else the allocator learns
  // to keep them. For tools whose memory is bounded (D262), not for servers that reuse such blocks.
  bool returns_memory = false;
  // Programs that its spawner starts on the main thread are killed with this process, however it
  // ends.
  bool children_end_with_process = false;
};

// Construct it before any other thread exists: libraries start threads of their own, and these must
// inherit the blocked signals. Owns what it hands out, which must not be used after its end.
// Thread-compatible; what it hands out is thread-safe.
class World {
 public:
  explicit World(WorldOptions options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  base::World& world() { return *world_; }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::unique_ptr<base::World> world_;
};

}  // namespace slipway::base::os
