// The file index of a package: what every member is (D150, spec 6.6; docs/formats/file-index.md).
// Values; thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/codec/codec.h"
#include "base/digest/blake3.h"

namespace slipway::deploy {

struct IndexEntry {
  enum class Type : char { kFile = 'f', kDirectory = 'd', kSymlink = 'l', kHardLink = 'h' };
  std::string path;  // any bytes but NUL; relative, without "./"
  Type type = Type::kFile;
  uint32_t mode = 0;            // 0777
  uint64_t size_bytes = 0;      // files
  int64_t mtime_ns = 0;         // since the epoch
  std::string link;             // target of a symlink, member name of a hard link
  base::Blake3Digest blake3{};  // files: of the logical content
  uint64_t tar_offset = 0;      // of the member's data in the uncompressed tar
  uint64_t frame_index = 0;     // frame or member of the compressed stream that holds tar_offset
};

struct FileIndex {
  std::vector<IndexEntry> entries;                    // in archive order
  std::vector<std::pair<uint64_t, uint64_t>> frames;  // compressed offset, tar offset
};

// Writes the index as it is stored: zstd of lines, in frames; one frame at a time, for memory's
// sake (D262). An error of the sink stops it.
absl::Status WriteFileIndex(const FileIndex& index, base::ByteSink sink);
// A whole index in memory; FileIndexReader needs less. DT007 for damage and for more than
// `limit_bytes` of text, DT025 for a newer format. Paths that are not UTF-8 are kept exactly ("p8"
// member, percent-encoded).
inline constexpr uint64_t kFileIndexTextBytesMax = 4ull << 30;
absl::StatusOr<FileIndex> DecodeFileIndex(base::ByteSource& compressed,
                                          uint64_t limit_bytes = kFileIndexTextBytesMax);
absl::StatusOr<FileIndex> DecodeFileIndex(base::BytesView bytes,
                                          uint64_t limit_bytes = kFileIndexTextBytesMax);
// The most text that the index of a package can have which brought `entries` and `content_bytes` of
// contents: for an index from outside.
uint64_t FileIndexTextBytesMax(const std::vector<IndexEntry>& entries, uint64_t content_bytes);

// The permission bit that is indexed as packed, dropped by extraction (D193), and no difference.
inline constexpr uint32_t kWorldWrite = 0002;
// Of directories that are no members but hold some: of archives made by others.
inline constexpr uint32_t kImpliedMode = 0755;

// "blake3:<hex>" over the entries sorted bytewise by path with keys p t m s l b3, modes without
// world-write: a tree has one digest, whether extraction dropped that bit or kept it.
std::string TreeDigest(const std::vector<IndexEntry>& entries);
// Whether `digest` is that of `entries`, which have their modes as packed. Also true for a digest
// over modes with world-write: early manifests state such.
bool TreeDigestMatches(const std::vector<IndexEntry>& entries, absl::string_view digest);

}  // namespace slipway::deploy
