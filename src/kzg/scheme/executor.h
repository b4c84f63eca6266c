// How the scheme shares work with other threads without having any. Results never depend on it.
#pragma once

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "base/pool.h"

namespace slipway::kzg {

// Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  // How many threads take part, the caller included; at least 1.
  virtual int width() const = 0;
  // Calls body(0) … body(count - 1), each once, in any order and partly at the same time; returns
  // when all have ended. May be nested.
  virtual void Run(size_t count, absl::FunctionRef<void(size_t)> body) = 0;
};

// Over a pool, which outlives it. The caller takes steps itself until none is left and then waits
// only for steps that run already: nested use and a full or empty pool never deadlock.
class PoolExecutor final : public Executor {
 public:
  // At most `width` threads take part, the caller included. `width` >= 1.
  PoolExecutor(base::Pool& pool, int width) : pool_(pool), width_(width) {}
  int width() const override { return width_; }
  void Run(size_t count, absl::FunctionRef<void(size_t)> body) override;

 private:
  base::Pool& pool_;
  const int width_;
};

// The same for a pointer that may be null: all in the calling thread.
inline int WidthOf(const Executor* executor) { return executor == nullptr ? 1 : executor->width(); }
inline void Run(Executor* executor, size_t count, absl::FunctionRef<void(size_t)> body) {
  if (executor != nullptr && count > 1) return executor->Run(count, body);
  for (size_t i = 0; i < count; ++i) body(i);
}
// Calls body(begin, end) for about equal parts of [0, count), a few for each thread.
void RunRanges(Executor* executor, size_t count, size_t per_part_min,
               absl::FunctionRef<void(size_t begin, size_t end)> body);

}  // namespace slipway::kzg
