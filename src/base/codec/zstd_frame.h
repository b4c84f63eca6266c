// Single zstd frames: compressing one, and reading the headers of others (RFC 8878).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"

struct ZSTD_CCtx_s;

namespace slipway::base::codec {

// Thread-compatible. What it writes does not depend on what it compressed before.
class FrameCompressor {
 public:
  explicit FrameCompressor(int level);
  // One frame with content size and checksum; returns its size. `out` holds at least
  // ZSTD_compressBound(data.size()).
  absl::StatusOr<size_t> Compress(BytesView data, absl::Span<uint8_t> out);

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
};

struct ZstdFrameHeader {
  size_t header_bytes = 0;
  uint64_t window_bytes = 0;
  std::optional<uint64_t> content_bytes;
  bool has_checksum = false;
  bool has_dictionary = false;
};
inline constexpr size_t kZstdFrameHeaderBytesMax = 18;

// The header at the front of `bytes`, which begin with kZstdMagic; nullopt: it goes on beyond them.
// DataLoss: a reserved bit is set.
absl::StatusOr<std::optional<ZstdFrameHeader>> ParseZstdFrameHeader(BytesView bytes);

}  // namespace slipway::base::codec
