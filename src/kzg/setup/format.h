// The binary form of a setup, with or without tables (K75). docs/formats/kzg-setup.md is the same
// in words. Thread-safe: constants.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kzg/scheme/types.h"

namespace slipway::kzg::format {

inline constexpr char kMagic[8] = {'S', 'L', 'K', 'Z', 'G', 'T', 'B', '1'};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kByteOrder = 0x01020304;
inline constexpr size_t kHeaderBytes = 4096;
inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kDigestBytes = 32;

// Offsets within the header; all integers little-endian.
inline constexpr size_t kVersionAt = 8;
inline constexpr size_t kByteOrderAt = 12;
inline constexpr size_t kIdAt = 16;
inline constexpr size_t kBlobBitsAt = 48;  // three plan numbers; all zero: no tables
inline constexpr size_t kCellBitsAt = 52;
inline constexpr size_t kLaneBitsAt = 56;
inline constexpr size_t kSectionCountAt = 60;
inline constexpr size_t kFileBytesAt = 64;
inline constexpr size_t kPayloadDigestAt = 72;  // SHA-256 of all bytes behind the header
inline constexpr size_t kSectionsAt = 104;      // offset and bytes of each, 8 bytes each
inline constexpr size_t kHeaderDigestAt = kHeaderBytes - kDigestBytes;  // of what stands before it

// Points are affine coordinates in Montgomery form, little-endian limbs: 96 bytes for G1, 192 for
// G2; zeros for infinity.
inline constexpr size_t kG1EntryBytes = 96;
inline constexpr size_t kG2EntryBytes = 192;

enum Section : size_t {
  kLagrange,  // 4096 points of G1, bit-reversed order
  kG2,        // 65 points of G2
  kMonomial,  // 4096 points of G1
  kBlobTable,
  kCellTable,
  kLaneTable,
  kSectionsMax,
};
inline constexpr size_t kSectionsWithoutTables = kBlobTable;

static_assert(kSectionsAt + 16 * kSectionsMax <= kHeaderDigestAt);

}  // namespace slipway::kzg::format
