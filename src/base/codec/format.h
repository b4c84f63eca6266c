// Constants of compressed containers. Format: docs/formats/compression.md; none of them may change.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace slipway::base::codec {

// gzip (RFC 1952): members of at most kMemberInputBytes, each with one extra subfield 'D','T' of 8
// bytes: u32 LE size of the member, u32 LE size of its input.
inline constexpr size_t kMemberInputBytes = kMiB;
// No member of ours is larger: stored blocks add less than this.
inline constexpr size_t kMemberBytesMax = kMemberInputBytes + 64 * kKiB;
inline constexpr size_t kMemberHeaderBytes = 24;
inline constexpr size_t kMemberTrailerBytes = 8;  // CRC-32, size
inline constexpr uint8_t kGzipMagic[] = {0x1f, 0x8b};
inline constexpr uint8_t kGzipDeflate = 8;
inline constexpr uint8_t kGzipHeaderCrc = 2, kGzipExtra = 4, kGzipName = 8, kGzipComment = 16;
inline constexpr uint8_t kGzipFlagsKnown = 31;  // with 1, "probably text"
inline constexpr uint8_t kSplitFieldId[] = {'D', 'T'};
inline constexpr size_t kSplitFieldBytes = 8;
// Longest header accepted, names and comments included.
inline constexpr size_t kGzipHeaderBytesMax = 256 * kKiB;

// zstd (RFC 8878): frames of at most kFrameInputBytes with content size and checksum, then a seek
// table in a skippable frame (the "seekable format").
inline constexpr size_t kFrameInputBytes = 8 * kMiB;
// A frame with known content that needs more than this is decoded as a foreign one.
inline constexpr size_t kFrameBytesMax = kFrameInputBytes + 512 * kKiB;
inline constexpr uint32_t kZstdMagic = 0xfd2fb528;
inline constexpr uint32_t kSkippableMagic = 0x184d2a50;  // low 4 bits free
inline constexpr uint32_t kSkippableMask = 0xfffffff0;
inline constexpr uint32_t kSeekTableMagic = 0x184d2a5e;
inline constexpr uint32_t kSeekTableFooterMagic = 0x8f92eab1;
inline constexpr uint8_t kSeekTableHasChecksums = 0x80;
inline constexpr size_t kSeekTableEntryBytes = 12;
inline constexpr size_t kSeekTableFooterBytes = 9;
inline constexpr size_t kSeekTableFramesMax = 0x8000000;
inline constexpr size_t kZstdBlockBytesMax = 128 * kKiB;
static_assert(kSeekTableFramesMax * kSeekTableEntryBytes + kSeekTableFooterBytes <= UINT32_MAX);

}  // namespace slipway::base::codec
