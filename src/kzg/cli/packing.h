// Files as blobs (K85): 31 bytes of the file in each field element, whose first byte is zero, so
// that every element is canonical. Thread-safe: free functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg::cli {

inline constexpr size_t kBytesPerPiece = 31;
inline constexpr size_t kBytesPerChunk = kBytesPerPiece * kFieldElementsPerBlob;
inline constexpr uint64_t kPackedBytesMax = uint64_t{1} << 30;
static_assert(kBytesPerChunk == 126'976);

// How many blobs a file of that size takes; none for an empty one.
inline size_t ChunkCount(uint64_t file_bytes) {
  return static_cast<size_t>((file_bytes + kBytesPerChunk - 1) / kBytesPerChunk);
}
// The blob of chunk `index`; zeros behind the end of the file.
base::Bytes PackChunk(base::BytesView file, size_t index);
// The inverse: appends the bytes of a blob to `file`, up to `file_bytes` in all. InvalidArgument:
// an element whose first byte is not zero, or anything but zeros behind the end.
absl::Status UnpackChunk(base::BytesView blob, size_t index, uint64_t file_bytes,
                         base::Bytes& file);

}  // namespace slipway::kzg::cli
