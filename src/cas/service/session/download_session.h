// One download (Z12, Z16) without its transport. Thread-compatible; blocks: on a strand of the I/O
// pool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cas/blob_store.h"
#include "cas/service/session/wire.h"

namespace slipway::cas {

class DownloadSession {
 public:
  explicit DownloadSession(BlobStore& store) : store_(store) {}

  // Errors are answers for the wire. InvalidArgument: metadata, digest or range is missing or
  // malformed, or the range lies outside the blob. NotFound. Internal.
  absl::Status Open(const std::optional<WireResource>& metadata);
  // The next bytes into the front of `out`; 0 at the end. Internal.
  absl::StatusOr<size_t> Next(absl::Span<uint8_t> out);
  void Close() { reader_.reset(); }

  const std::optional<Digest>& digest() const { return digest_; }
  uint64_t left_bytes() const { return left_bytes_; }  // not read yet
  uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  BlobStore& store_;
  std::optional<Digest> digest_;
  std::unique_ptr<BlobReader> reader_;
  uint64_t left_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
};

}  // namespace slipway::cas
