// Bytes addressed by what they are (Z1). Every implementation keeps the contract of
// blob_store_contract.h. Thread-safe; calls block on disk or network: from an I/O pool only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "base/status.h"
#include "cas/digest.h"
#include "cas/range.h"

namespace slipway::cas {

// Thread-compatible. Destroyed without Commit: nothing of it is left.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  // InvalidArgument (kSizeMismatch) as soon as there are more bytes than the digest says; then only
  // destruction is allowed. ResourceExhausted: no space.
  virtual absl::Status Append(base::BytesView data) = 0;
  // Size and hash are verified, then the blob becomes visible; durable after OK.
  // InvalidArgument: too few bytes, or another hash. OK also when somebody else stored the blob
  // meanwhile. Once.
  virtual absl::Status Commit() = 0;
};

// Thread-compatible.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  // Fills `out` from the front; less than its size only before the end; 0 at the end. DataLoss: the
  // stored bytes are not the blob any more.
  virtual absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) = 0;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;
  // The stored length, if the blob is there and readable. A right hash with a wrong size is absent.
  virtual absl::StatusOr<std::optional<uint64_t>> Check(const Digest& digest) = 0;
  // The same, perhaps cheaper.
  virtual absl::StatusOr<bool> Contains(const Digest& digest) = 0;
  // AlreadyExists: nothing to send. ResourceExhausted: quota or space, named in the text.
  virtual base::Owned<BlobWriter> Store(const Digest& digest) = 0;
  // NotFound; OutOfRange; InvalidArgument (CheckRange).
  virtual base::Owned<BlobReader> Fetch(const Digest& digest, BlobRange range) = 0;
  // A file that holds exactly the blob and must not be changed; absent for stores without one.
  virtual std::optional<std::string> GetLocalPath(const Digest& digest) = 0;
};

// ---- Helpers over any store ----

// Stores `data`; OK when it was there already.
absl::Status PutBytes(BlobStore& store, const Digest& digest, base::BytesView data);
// The whole blob; ResourceExhausted over `limit_bytes`.
absl::StatusOr<base::Bytes> GetBytes(BlobStore& store, const Digest& digest, uint64_t limit_bytes);

}  // namespace slipway::cas
