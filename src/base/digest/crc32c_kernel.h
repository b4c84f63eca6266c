// Private to base/digest, its tests and its benchmarks: the two ways to a CRC-32C. Both take and
// return the finished CRC of what came before, as Crc32c does. Thread-safe.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace slipway::base::crc32c {

// Eight bytes a step by tables; runs everywhere.
uint32_t ByTable(BytesView data, uint32_t crc);

// Whether this processor has the crc32 instruction (SSE4.2).
bool HasInstruction();
// By that instruction; only where HasInstruction().
uint32_t ByInstruction(BytesView data, uint32_t crc);

}  // namespace slipway::base::crc32c
