// A setup whose secret number everybody can know: for tests and trials only. Thread-safe.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "kzg/scheme/executor.h"

namespace slipway::kzg {

// The 399,456 bytes of points (as ParseSetup gives them) of the powers of a number that follows
// from `seed`. Proofs over it prove nothing: whoever knows the seed can forge them.
base::Bytes GenerateInsecureSetup(uint64_t seed, Executor* executor = nullptr);

}  // namespace slipway::kzg
