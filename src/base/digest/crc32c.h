// CRC-32C (Castagnoli, RFC 3720 appendix B.4). Thread-safe.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace slipway::base {

// The CRC of a message whose first part has CRC `crc` (0 for none) and whose rest is `data`.
uint32_t Crc32c(BytesView data, uint32_t crc = 0);

}  // namespace slipway::base
