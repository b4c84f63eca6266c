// Writes tar headers whose bytes depend on the member only and never change between versions
// (D141): plain ustar where that holds everything, with one pax record before it where it does not.
// Thread-safe: free functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "deploy/pack/tar.h"

namespace slipway::deploy {

// All blocks that stand before the member's data: pax header if needed, ustar header, map of a
// sparse file. Owner and group are 0 and nameless. DT018: attributes of more than kPaxBytesMax.
absl::StatusOr<std::string> FormatTarHeader(const TarMember& member);

// Bytes of data the writer has to send after the header: size_bytes, or the sum of the ranges. They
// are followed by TarPaddingBytes zeros.
uint64_t TarDataBytes(const TarMember& member);

// Bytes of the map at the end of a sparse file's header.
uint64_t SparseMapBytes(const TarMember& member);

// Two blocks of zeros, and nothing after them.
std::string TarEnd();

}  // namespace slipway::deploy
