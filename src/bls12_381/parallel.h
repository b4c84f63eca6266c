// How callers lend their threads to this folder, which has none of its own.
#pragma once

#include <cstddef>

#include "absl/functional/function_ref.h"

namespace slipway::bls12_381 {

// Runs body(0) … body(count - 1), each once, in any order and partly at the same time, and returns
// when all have ended. While it waits, the calling thread may do other work of this folder.
using ParallelFor =
    absl::FunctionRef<void(size_t count, absl::FunctionRef<void(size_t index)> body)>;

// Borrowed for one call. What is computed never depends on it.
struct Workers {
  int width;  // how many threads take part, the caller included
  ParallelFor run;
};

// In the calling thread alone.
inline void RunSerially(size_t count, absl::FunctionRef<void(size_t index)> body) {
  for (size_t i = 0; i < count; ++i) body(i);
}
inline Workers CallerAlone() { return {1, &RunSerially}; }

}  // namespace slipway::bls12_381
