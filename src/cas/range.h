// A part of a blob (Z3). Thread-safe: values.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "cas/digest.h"

namespace slipway::cas {

struct BlobRange {
  uint64_t start = 0;
  std::optional<uint64_t> length;  // absent: to the end
};

struct Extent {
  uint64_t offset_bytes = 0;
  uint64_t size_bytes = 0;
};

// InvalidArgument: length 0, or start + length over 64 bits. Needs no blob.
absl::Status CheckRange(const BlobRange& range);
// Where in the blob the range lies. CheckRange's error; OutOfRange with the blob's length: start at
// or past the end, or end past it. The empty blob, read from 0 without a length, gives 0 bytes.
absl::StatusOr<Extent> Resolve(const BlobRange& range, const Digest& digest);

}  // namespace slipway::cas
