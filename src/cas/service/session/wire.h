// The messages of zako.v1.transport, by hand (Z145): what arrives is parsed where it lies in gRPC's
// slices, so that the bytes of a chunk are never copied; what leaves is a few bytes in front of the
// data. Accepts and refuses what protobuf's generated parser does (unknown fields, groups, varints
// that are too long, merged submessages), which the oracle test shows. Thread-safe: free functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "cas/digest.h"
#include "cas/range.h"

namespace slipway::cas {

using Slices = absl::Span<const base::BytesView>;  // one message in pieces; none may be there

// zako.v1.transport.BlobResource as it was sent, not checked.
struct WireResource {
  bool has_digest = false;
  uint64_t size_bytes = 0;
  std::string blake3;
  bool has_range = false;
  uint64_t start = 0;
  std::optional<uint64_t> length;
};

// zako.v1.transport.UploadRequest.
struct UploadMessage {
  enum class Kind : uint8_t { kNone, kMetadata, kChunk };
  Kind kind = Kind::kNone;
  WireResource metadata;
  std::vector<base::BytesView> chunk;  // views of the slices
  uint64_t chunk_bytes = 0;
};

// InvalidArgument: the bytes are no such message.
absl::StatusOr<UploadMessage> ParseUploadMessage(Slices slices);
// zako.v1.transport.DownloadRequest; nullopt: no metadata. InvalidArgument as above.
absl::StatusOr<std::optional<WireResource>> ParseDownloadMessage(Slices slices);

// InvalidArgument naming what is missing or malformed (Z12, Z13).
absl::StatusOr<Digest> DigestOf(const WireResource& resource);
absl::StatusOr<BlobRange> RangeOf(const WireResource& resource);

// What stands before `data_bytes` bytes in a zako.v1.transport.DownloadResponse. data_bytes > 0.
struct ChunkHeader {
  std::array<uint8_t, 11> bytes{};
  size_t size = 0;
};
ChunkHeader DownloadHeader(uint64_t data_bytes);
// A whole zako.v1.transport.UploadResponse.
std::string UploadAnswer(uint64_t committed_bytes);

}  // namespace slipway::cas
