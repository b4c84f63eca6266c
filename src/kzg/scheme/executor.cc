#include "kzg/scheme/executor.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

namespace slipway::kzg {

void PoolExecutor::Run(size_t count, absl::FunctionRef<void(size_t)> body) {
  struct Shared {
    std::atomic<size_t> next{0};
    std::atomic<uint32_t> done{0};  // 32 bits: what the kernel can wait on directly
  };
  const auto shared = std::make_shared<Shared>();
  // A job that starts too late finds no step and touches nothing but `shared`.
  const auto work = [shared, count, body] {
    for (size_t i; (i = shared->next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      body(i);
      const uint32_t done = shared->done.fetch_add(1, std::memory_order_acq_rel) + 1;
      if (done == count) shared->done.notify_all();
    }
  };
  const size_t helpers = count < 2 ? 0 : std::min(static_cast<size_t>(width_ - 1), count - 1);
  for (size_t i = 0; i < helpers; ++i) {
    if (!pool_.Submit(work).ok()) break;  // a full queue: the caller does that share too
  }
  work();
  for (uint32_t done; (done = shared->done.load(std::memory_order_acquire)) != count;) {
    shared->done.wait(done, std::memory_order_acquire);
  }
}

void RunRanges(Executor* executor, size_t count, size_t per_part_min,
               absl::FunctionRef<void(size_t, size_t)> body) {
  const auto width = static_cast<size_t>(WidthOf(executor));
  // A few parts a thread: one that is held up does not hold the others up.
  const size_t wanted = width == 1 ? 1 : width * 4;
  const size_t parts =
      std::max<size_t>(1, std::min(wanted, count / std::max<size_t>(1, per_part_min)));
  Run(executor, parts, [&](size_t i) { body(count * i / parts, count * (i + 1) / parts); });
}

}  // namespace slipway::kzg
