#include "cas/service/session/answer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "cas/errors.h"

namespace slipway::cas {
namespace {

absl::Status StorageFailure(const absl::Status& status, absl::string_view operation) {
  SLIPWAY_LOG(kError, "storage failed",
              {{"operation", operation}, {"error", std::string(status.message())}});
  if (SLIPWAY_MUTANT("cas-leak-path")) return absl::InternalError(status.message());
  return absl::InternalError(
      absl::StrCat(operation, ": the storage of the server failed; its log says how"));
}

absl::Status AnswerOfCas(CasError kind, const absl::Status& status, absl::string_view operation) {
  switch (kind) {
    case CasError::kOutOfRange:
      return absl::InvalidArgumentError(status.message());
    case CasError::kIo:
    case CasError::kInternal:
    case CasError::kCorrupt:
      return StorageFailure(status, operation);
    case CasError::kNotFound:
    case CasError::kDigestMismatch:
    case CasError::kSizeMismatch:
    case CasError::kNoSpace:
    case CasError::kAlreadyExists:
    case CasError::kUnauthenticated:
      return absl::Status(status.code(), status.message());
  }
  return StorageFailure(status, operation);
}

}  // namespace

absl::Status AnswerOf(const absl::Status& status, absl::string_view operation) {
  if (status.ok()) return status;
  CasError kind{};
  // Every text of the closed set names its digest; one that does not came from somewhere else.
  if (IsCasError(status, &kind) && absl::StrContains(status.message(), "blake3:")) {
    return AnswerOfCas(kind, status, operation);
  }
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
      return absl::Status(status.code(), absl::StrCat(operation, ": it was ended before its end"));
    // A store that rests on another one, or a limit of the machine: worth trying again.
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      SLIPWAY_LOG(kWarn, "storage refused",
                  {{"operation", operation}, {"error", std::string(status.message())}});
      return absl::Status(status.code(),
                          absl::StrCat(operation, ": the storage cannot do it now; try again"));
    default:
      return StorageFailure(status, operation);
  }
}

}  // namespace slipway::cas
