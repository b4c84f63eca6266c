// Headers of gzip members (RFC 1952). Thread-safe: free functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "base/bytes.h"

namespace slipway::base::codec {

struct GzipHeader {
  size_t header_bytes = 0;
  // Set by our encoder: the whole member's size and that of its input, not yet verified.
  struct Split {
    uint32_t member_bytes = 0;
    uint32_t input_bytes = 0;
  };
  std::optional<Split> split;
};

// The header at the front of `bytes`; nullopt: it goes on beyond them. DataLoss: not a gzip header,
// its checksum differs, or it is longer than kGzipHeaderBytesMax; the text has no offset.
absl::StatusOr<std::optional<GzipHeader>> ParseGzipHeader(BytesView bytes);

// kMemberHeaderBytes of a member of ours.
void WriteGzipHeader(GzipHeader::Split split, uint8_t* out);

}  // namespace slipway::base::codec
