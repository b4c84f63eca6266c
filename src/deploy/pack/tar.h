// A member of a tar stream, and the constants of the format (docs/formats/package.md).
// Values; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"

namespace slipway::deploy {

inline constexpr size_t kTarBlockBytes = 512;
inline constexpr size_t kTarEndBytes = 2 * kTarBlockBytes;  // the end-of-archive mark
// Records of one pax header: more than Linux lets a file carry as attributes on most file systems,
// little enough to hold in memory.
inline constexpr uint64_t kPaxBytesMax = 8ull << 20;
inline constexpr uint64_t kXattrBytesMax = 64ull << 10;  // XATTR_SIZE_MAX of Linux
// Ranges of data in one file with holes. The writer fills further holes with zeros.
inline constexpr size_t kSparseRangesMax = 65'536;

// Where a sparse file has data: offset and size in the logical file, ascending.
using TarRanges = std::vector<std::pair<uint64_t, uint64_t>>;

struct TarMember {
  enum class Type : char { kFile = '0', kHardLink = '1', kSymlink = '2', kDirectory = '5' };
  Type type = Type::kFile;
  std::string path;         // any bytes but NUL; no "./" before it, no "/" behind it
  std::string link;         // target of a symlink, member name of a hard link
  uint32_t mode = 0;        // 07777 when read, 0777 when written
  int64_t mtime_ns = 0;     // since the epoch
  uint64_t size_bytes = 0;  // files: logical size
  bool sparse = false;
  TarRanges ranges;  // of a sparse file only
  base::Xattrs xattrs;
  // Read only: where the stored data of the member begin in the stream (of a sparse file: its map).
  uint64_t data_offset = 0;
};

// Bytes of zeros behind `size_bytes` of data.
inline size_t TarPaddingBytes(uint64_t size_bytes) {
  return static_cast<size_t>((kTarBlockBytes - size_bytes % kTarBlockBytes) % kTarBlockBytes);
}

// Places of the ustar header (POSIX.1-1988 pax, "ustar interchange format").
namespace ustar {
inline constexpr size_t kName = 0, kNameBytes = 100;
inline constexpr size_t kMode = 100, kModeBytes = 8;
inline constexpr size_t kUid = 108, kGid = 116, kIdBytes = 8;
inline constexpr size_t kSize = 124, kSizeBytes = 12;
inline constexpr size_t kMtime = 136, kMtimeBytes = 12;
inline constexpr size_t kChecksum = 148, kChecksumBytes = 8;
inline constexpr size_t kType = 156;
inline constexpr size_t kLink = 157, kLinkBytes = 100;
inline constexpr size_t kMagic = 257, kMagicBytes = 8;  // with the version
inline constexpr size_t kDeviceMajor = 329, kDeviceMinor = 337, kDeviceBytes = 8;
inline constexpr size_t kPrefix = 345, kPrefixBytes = 155;
inline constexpr uint64_t kSizeMax = (1ull << 33) - 1;  // eleven octal digits
}  // namespace ustar

}  // namespace slipway::deploy
