// CRC-32C (Castagnoli, RFC 3720 appendix B.4). Thread-safe.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace slipway::base {

// The CRC of a message whose first part has CRC `crc` (0 for none) and whose rest is `data`.
uint32_t Crc32c(BytesView data, uint32_t crc = 0);

// The CRC of two messages one behind the other, from the CRC of each and the length of the second:
// what is summed already need not be read again. About a microsecond, so for long messages.
uint32_t Crc32cOfBoth(uint32_t first, uint32_t second, uint64_t second_bytes);

}  // namespace slipway::base
