// One upload (Z13, Z14) without its transport: what arrives, message by message, into a store.
// Thread-compatible; blocks: on a strand of the I/O pool. Destroyed before OnEnd said OK: nothing
// of the blob is left.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cas/blob_store.h"
#include "cas/service/session/wire.h"

namespace slipway::cas {

class UploadSession {
 public:
  explicit UploadSession(BlobStore& store) : store_(store) {}

  // Errors are answers for the wire and end the session. FailedPrecondition: the first message is
  // no metadata, or wants to resume. InvalidArgument: digest or range malformed, a second metadata,
  // more bytes than the digest says. AlreadyExists: with the metadata, before any chunk.
  // ResourceExhausted; Internal.
  absl::Status OnMessage(const UploadMessage& message);
  // The client has sent all. The size of the blob that is durable now; FailedPrecondition: no
  // message came. InvalidArgument: too few bytes or another hash, with what was expected.
  absl::StatusOr<uint64_t> OnEnd();
  // The client is gone: lets go of what was written.
  void Abort() { writer_.reset(); }

  const std::optional<Digest>& digest() const { return digest_; }
  uint64_t received_bytes() const { return received_bytes_; }

 private:
  absl::Status Begin(const WireResource& metadata);

  BlobStore& store_;
  std::optional<Digest> digest_;
  std::unique_ptr<BlobWriter> writer_;
  uint64_t received_bytes_ = 0;
};

}  // namespace slipway::cas
