// Lends an Executor to the curve arithmetic, which has an interface of its own. Private to
// kzg/scheme.
#pragma once

#include "absl/functional/function_ref.h"
#include "bls12_381/parallel.h"
#include "kzg/scheme/executor.h"

namespace slipway::kzg {

// Calls `body` with workers that stand for `executor` while it runs.
inline void WithWorkers(Executor* executor,
                        absl::FunctionRef<void(const bls12_381::Workers&)> body) {
  const auto run = [executor](size_t count, absl::FunctionRef<void(size_t)> step) {
    Run(executor, count, step);
  };
  body({WidthOf(executor), run});
}

}  // namespace slipway::kzg
