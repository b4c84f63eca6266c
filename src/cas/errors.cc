#include "cas/errors.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

// Holds the CasError as one digit or letter; lost on the wire, where the code has to do.
constexpr char kPayload[] = "slipway/cas-error";

absl::Status Make(CasError kind, absl::StatusCode code, absl::string_view text,
                  base::ErrorInfo info = {}) {
  absl::Status status = base::MakeError(code, text, std::move(info));
  status.SetPayload(
      kPayload, absl::Cord(std::string(1, static_cast<char>('a' + static_cast<uint8_t>(kind)))));
  return status;
}

// Why the file system refused, without the path that its text may hold.
absl::string_view Reason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kDataLoss:
      return "input/output error";
    case absl::StatusCode::kPermissionDenied:
      return "permission denied";
    case absl::StatusCode::kNotFound:
      return "a file or directory of the store is missing";
    case absl::StatusCode::kUnavailable:
      return "the storage is not available";
    default:
      return "the file system failed";
  }
}

std::optional<CasError> KindOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return CasError::kNotFound;
    case absl::StatusCode::kInternal:
      return CasError::kInternal;
    case absl::StatusCode::kOutOfRange:
      return CasError::kOutOfRange;
    case absl::StatusCode::kResourceExhausted:
      return CasError::kNoSpace;
    case absl::StatusCode::kAlreadyExists:
      return CasError::kAlreadyExists;
    case absl::StatusCode::kUnauthenticated:
      return CasError::kUnauthenticated;
    case absl::StatusCode::kDataLoss:
      return CasError::kCorrupt;
    default:
      return std::nullopt;
  }
}

}  // namespace

absl::Status NotFoundError(const Digest& digest) {
  return Make(CasError::kNotFound, absl::StatusCode::kNotFound,
              absl::StrCat("blob ", digest.ToString(), ": not in the store"));
}

absl::Status AlreadyExistsError(const Digest& digest) {
  return Make(CasError::kAlreadyExists, absl::StatusCode::kAlreadyExists,
              absl::StrCat("store blob ", digest.ToString(), ": it is there already"));
}

absl::Status OutOfRangeError(const Digest& digest, const BlobRange& range) {
  const std::string length =
      range.length ? absl::StrCat(*range.length, " bytes") : std::string("all bytes");
  return Make(CasError::kOutOfRange, absl::StatusCode::kOutOfRange,
              absl::StrCat("read blob ", digest.ToString(), ": ", length, " from ", range.start,
                           " on are not within its ", digest.size_bytes, " bytes"));
}

absl::Status DigestMismatchError(const Digest& expected, const Digest& got) {
  return Make(CasError::kDigestMismatch, absl::StatusCode::kInvalidArgument,
              absl::StrCat("store blob ", expected.ToString(), ": what came is ", got.ToString()),
              {"ZK4001", "send the bytes of this digest, or the digest of these bytes"});
}

absl::Status SizeMismatchError(const Digest& expected, uint64_t got_bytes) {
  const bool more = got_bytes > expected.size_bytes;
  return Make(CasError::kSizeMismatch, absl::StatusCode::kInvalidArgument,
              absl::StrCat("store blob ", expected.ToString(), ": it has ", expected.size_bytes,
                           " bytes, but ", got_bytes, more ? " bytes or more" : " bytes", " came"),
              {"ZK4001", "send the bytes of this digest, or the digest of these bytes"});
}

absl::Status TooLargeError(const Digest& digest, uint64_t bytes_max) {
  return Make(CasError::kNoSpace, absl::StatusCode::kResourceExhausted,
              absl::StrCat("store blob ", digest.ToString(), ": a blob may have ", bytes_max,
                           " bytes at most"),
              {"ZK4002", "raise limits.max_blob of the server, or send smaller pieces"});
}

absl::Status CorruptError(const Digest& digest) {
  return Make(
      CasError::kCorrupt, absl::StatusCode::kDataLoss,
      absl::StrCat("read blob ", digest.ToString(), ": the stored bytes are not the blob any more"),
      {"ZK4005", "store the blob again"});
}

absl::Status IoError(const Digest& digest, absl::string_view what, const absl::Status& status) {
  if (status.ok()) return status;
  const std::string verb = absl::StrCat(what, " blob ", digest.ToString(), ": ");
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    return Make(CasError::kNoSpace, status.code(),
                absl::StrCat(verb, "no space, or no file descriptor, is left"),
                {"ZK4002", "free space on the file system of the store"});
  }
  const bool lost = status.code() == absl::StatusCode::kDataLoss;
  return Make(CasError::kIo, lost ? absl::StatusCode::kDataLoss : absl::StatusCode::kInternal,
              absl::StrCat(verb, Reason(status.code())));
}

bool IsCasError(const absl::Status& status, CasError* kind) {
  std::optional<CasError> found;
  if (const auto payload = status.GetPayload(kPayload); payload && payload->size() == 1) {
    const int value = std::string(*payload)[0] - 'a';
    if (value >= 0 && value <= static_cast<int>(CasError::kCorrupt)) {
      found = static_cast<CasError>(value);
    }
  } else {
    found = KindOfCode(status.code());
  }
  if (found && kind != nullptr) *kind = *found;
  return found.has_value();
}

}  // namespace slipway::cas
