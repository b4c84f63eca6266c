// Deflate (RFC 1951) without matches: what is left to gain in float weights is the skew of single
// bytes, and a Huffman code over bytes takes it at memory-like speed.
// Thread-safe: free functions without state. The bytes produced are part of the package format
// (docs/formats/compression.md) and never change.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/bytes.h"

namespace slipway::base::codec {

// Input bytes of one deflate block, each with its own code: weights of one layer share a
// distribution, those of another do not. The header of a block costs about 0.1% of it.
inline constexpr size_t kOrder0BlockBytes = 128 * 1024;
// Input bytes that a stored block can hold.
inline constexpr size_t kStoredBytesMax = 65535;
// Longest literal code: four of them and a partial byte fit into one 64-bit store.
inline constexpr int kLiteralBitsMax = 14;

using Histogram = std::array<uint32_t, 256>;
Histogram CountBytes(BytesView data);

// Lengths in bits, at most `bits_max`, of a prefix code for symbols with these frequencies; 0 for
// symbols that do not occur. At least two symbols must occur and at most 2^bits_max.
// Integer arithmetic only; equal frequencies are ordered by symbol.
void BuildCodeLengths(absl::Span<const uint32_t> frequencies, int bits_max,
                      absl::Span<uint8_t> lengths);

// Code lengths of the 256 literals and, last, the end of block, for bytes of this histogram (not
// empty); and the bits that bytes of a histogram then take, the end of block included.
using LiteralLengths = std::array<uint8_t, 257>;
LiteralLengths BuildLiteralLengths(const Histogram& histogram);
uint64_t CodedBits(const LiteralLengths& lengths, const Histogram& histogram);

// Size in bits of a dynamic block that codes, by literals only, bytes of this histogram (not
// empty).
uint64_t Order0Bits(const Histogram& histogram);

// What WriteStored and WriteOrder0 may write for `input_bytes` of input, with the slack they need.
size_t LiteralBytesMax(size_t input_bytes);

// Write a complete deflate stream (final block included) of `data` to `out`, which holds at least
// LiteralBytesMax(data.size()); return its size. WriteStored: stored blocks only. WriteOrder0: per
// kOrder0BlockBytes a dynamic block of literals, or stored blocks where those are not larger;
// `data` is not empty.
size_t WriteStored(BytesView data, uint8_t* out);
size_t WriteOrder0(BytesView data, uint8_t* out);

}  // namespace slipway::base::codec
