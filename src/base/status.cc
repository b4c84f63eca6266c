#include "base/status.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace slipway::base {
namespace {

constexpr char kCodePayload[] = "slipway/code";
constexpr char kHintPayload[] = "slipway/hint";

std::string Payload(const absl::Status& status, absl::string_view type) {
  const auto payload = status.GetPayload(type);
  return payload ? std::string(*payload) : std::string();
}

absl::StatusCode CodeOfErrno(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case ELOOP:
    case EXDEV:
    case EBUSY:
    case ETXTBSY:
      return absl::StatusCode::kFailedPrecondition;
    case EIO:
      return absl::StatusCode::kDataLoss;
    case EINVAL:
    case ENAMETOOLONG:
    case E2BIG:
    case ERANGE:
      return absl::StatusCode::kInvalidArgument;
    case EINTR:
      return absl::StatusCode::kCancelled;
    case ENOSYS:
    case EOPNOTSUPP:
      return absl::StatusCode::kUnimplemented;
    case EAGAIN:
      return absl::StatusCode::kUnavailable;
    case ETIMEDOUT:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kUnknown;
  }
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, absl::string_view text, ErrorInfo info) {
  SLIPWAY_CHECK(code != absl::StatusCode::kOk);
  return WithInfo(absl::Status(code, text), std::move(info));
}

ErrorInfo GetErrorInfo(const absl::Status& status) {
  return {Payload(status, kCodePayload), Payload(status, kHintPayload)};
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return WithInfo(absl::Status(status.code(), absl::StrCat(context, ": ", status.message())),
                  GetErrorInfo(status));
}

absl::Status WithInfo(absl::Status status, ErrorInfo info) {
  if (status.ok()) return status;
  const ErrorInfo own = GetErrorInfo(status);
  if (own.code.empty() && !info.code.empty()) {
    status.SetPayload(kCodePayload, absl::Cord(std::move(info.code)));
  }
  if (own.hint.empty() && !info.hint.empty()) {
    status.SetPayload(kHintPayload, absl::Cord(std::move(info.hint)));
  }
  return status;
}

absl::Status ErrnoError(int error, absl::string_view what) {
  SLIPWAY_CHECK(error != 0);
  char buffer[128];
  // The GNU form of strerror_r: returns the text, which may or may not be in the buffer.
  const char* text = strerror_r(error, buffer, sizeof(buffer));
  return absl::Status(CodeOfErrno(error), absl::StrCat(what, ": ", text));
}

int HttpStatus(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

}  // namespace slipway::base
