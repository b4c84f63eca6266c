#include "kzg/scheme/executor.h"

#include <algorithm>

#include "base/run_steps.h"

namespace slipway::kzg {

void PoolExecutor::Run(size_t count, absl::FunctionRef<void(size_t)> body) {
  base::RunSteps(pool_, width_, count, body);
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
