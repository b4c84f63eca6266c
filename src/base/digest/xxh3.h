// XXH3-128 by libxxhash: for maps in memory and fingerprints of non-security values only, never on
// a wire or a disk (Z84). Thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace slipway::base {

using Xxh3Digest = std::array<uint64_t, 2>;  // low, high
Xxh3Digest Xxh3Of(BytesView data);

}  // namespace slipway::base
