#include "base/os/world.h"

#include <malloc.h>

#include <algorithm>
#include <thread>

#include "base/os/clock.h"
#include "base/os/environment.h"
#include "base/os/files.h"
#include "base/os/pool.h"
#include "base/os/random.h"
#include "base/os/signals.h"
#include "base/os/spawner.h"
#include "base/os/terminal.h"

namespace slipway::base::os {
namespace {

constexpr int kKeptBytesMax = 1 << 20;

int PoolThreads(const WorldOptions& options) {
  if (options.pool_threads > 0) return options.pool_threads;
  return std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

struct World::Parts {
  explicit Parts(const WorldOptions& options)
      : spawner({.children_end_with_thread = options.children_end_with_process}),
        pool("io", PoolThreads(options), options.pool_queue_max) {}

  SystemClock clock;
  SystemRandom random;
  LinuxFiles files;
  SystemSpawner spawner;
  ProcessEnvironment environment;
  ThreadPool pool;  // last: its jobs use the others
};

World::World(WorldOptions options) {
  if (options.returns_memory) mallopt(M_MMAP_THRESHOLD, kKeptBytesMax);
  ReserveStandardStreams();
  if (options.block_signals) BlockSignals();
  parts_ = std::make_unique<Parts>(options);
  world_ = std::unique_ptr<base::World>(new base::World{parts_->clock, parts_->random,
                                                        parts_->files, parts_->spawner,
                                                        parts_->pool, parts_->environment});
}

World::~World() = default;

}  // namespace slipway::base::os
