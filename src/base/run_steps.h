// A loop whose steps are shared with a pool, for steps that cannot fail. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "base/pool.h"

namespace slipway::base {

// Calls step(0) … step(count - 1), each once, in any order, in this thread and in those of `pool`,
// at most `width` of them together; returns when all have ended. May be nested. `count` is below
// 2^32.
//
// The caller takes steps itself until none is left, so whatever it then waits for is running in
// another thread: no wait depends on a job that is still in the queue, and a pool without threads
// (simulation) or with a full queue only makes the caller do more. A job that starts too late finds
// no step and touches nothing but `shared`.
inline void RunSteps(Pool& pool, int width, size_t count, absl::FunctionRef<void(size_t)> step) {
  struct Shared {
    std::atomic<size_t> next{0};
    std::atomic<uint32_t> done{0};  // 32 bits: what the kernel can wait on directly
  };
  const auto shared = std::make_shared<Shared>();
  const auto work = [shared, count, step] {
    for (size_t i; (i = shared->next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      step(i);
      const uint32_t done = shared->done.fetch_add(1, std::memory_order_acq_rel) + 1;
      if (done == count) shared->done.notify_all();
    }
  };
  const size_t helpers =
      count < 2 ? 0 : std::min(static_cast<size_t>(std::max(width - 1, 0)), count - 1);
  for (size_t i = 0; i < helpers; ++i) {
    if (!pool.Submit(work).ok()) break;  // a full queue: the caller does that share too
  }
  work();
  for (uint32_t done; (done = shared->done.load(std::memory_order_acquire)) != count;) {
    shared->done.wait(done, std::memory_order_acquire);
  }
}

}  // namespace slipway::base
