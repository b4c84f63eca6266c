// The closed set of errors of a store (Z2). Every text names the digest as blake3:<hex>/<size>, and
// none a path of the server: where one helps, it goes to the log.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cas/digest.h"
#include "cas/range.h"

namespace slipway::cas {

enum class CasError : uint8_t {
  kIo,               // Internal (DataLoss for EIO)
  kNotFound,         // NotFound
  kInternal,         // Internal
  kOutOfRange,       // OutOfRange
  kDigestMismatch,   // InvalidArgument
  kSizeMismatch,     // InvalidArgument
  kNoSpace,          // ResourceExhausted
  kAlreadyExists,    // AlreadyExists
  kUnauthenticated,  // Unauthenticated
  kCorrupt,          // DataLoss: the stored bytes are not the blob any more
};

absl::Status NotFoundError(const Digest& digest);
absl::Status AlreadyExistsError(const Digest& digest);
absl::Status OutOfRangeError(const Digest& digest, const BlobRange& range);
absl::Status DigestMismatchError(const Digest& expected, const Digest& got);
absl::Status SizeMismatchError(const Digest& expected, uint64_t got_bytes);
// ResourceExhausted, of kNoSpace: the blob is over the limit of the server's configuration.
absl::Status TooLargeError(const Digest& digest, uint64_t bytes_max);
absl::Status CorruptError(const Digest& digest);
// `status` of the file system while doing `what` with the blob: ResourceExhausted becomes kNoSpace,
// the rest kIo; a path in its text is left out of the result.
absl::Status IoError(const Digest& digest, absl::string_view what, const absl::Status& status);

// Which of the set an error is; false when it is none (cancelled, deadline, unavailable).
bool IsCasError(const absl::Status& status, CasError* kind);

}  // namespace slipway::cas
