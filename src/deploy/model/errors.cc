#include "deploy/model/errors.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/status.h"

namespace slipway::deploy {
namespace {

constexpr int kExitValidation = 3;
constexpr int kExitStorage = 4;
constexpr int kExitPermission = 5;
constexpr int kExitNotFound = 6;
constexpr int kExitExists = 7;
constexpr int kExitNetwork = 8;
constexpr int kExitTimeout = 9;
constexpr int kExitUnknown = 10;
constexpr int kExitLocked = 11;
constexpr int kExitDenied = 13;
constexpr int kExitTrust = 14;
constexpr int kExitProblems = 15;

struct Row {
  Dt dt;
  absl::StatusCode code;
  int exit;
};

// Spec 6.11 and 6.12.
constexpr Row kRows[] = {
    {Dt::kConfig, absl::StatusCode::kInvalidArgument, base::kExitUsage},
    {Dt::kPathNotFound, absl::StatusCode::kNotFound, kExitNotFound},
    {Dt::kVersionFormat, absl::StatusCode::kInvalidArgument, kExitValidation},
    {Dt::kStorage, absl::StatusCode::kUnavailable, kExitStorage},
    {Dt::kPermission, absl::StatusCode::kPermissionDenied, kExitPermission},
    {Dt::kDiskSpace, absl::StatusCode::kResourceExhausted, kExitStorage},
    {Dt::kChecksum, absl::StatusCode::kDataLoss, kExitValidation},
    {Dt::kTarget, absl::StatusCode::kUnavailable, kExitNetwork},
    {Dt::kMissing, absl::StatusCode::kInvalidArgument, base::kExitUsage},
    {Dt::kNotFound, absl::StatusCode::kNotFound, kExitNotFound},
    {Dt::kReleaseNotFound, absl::StatusCode::kNotFound, kExitNotFound},
    {Dt::kExists, absl::StatusCode::kAlreadyExists, kExitExists},
    {Dt::kType, absl::StatusCode::kInvalidArgument, kExitValidation},
    {Dt::kDependency, absl::StatusCode::kFailedPrecondition, kExitValidation},
    {Dt::kUnfinished, absl::StatusCode::kFailedPrecondition, base::kExitFailure},
    {Dt::kChanged, absl::StatusCode::kAborted, base::kExitFailure},
    {Dt::kOutsideProject, absl::StatusCode::kInvalidArgument, kExitValidation},
    {Dt::kFileKind, absl::StatusCode::kFailedPrecondition, kExitValidation},
    {Dt::kSecret, absl::StatusCode::kFailedPrecondition, kExitValidation},
    {Dt::kDenied, absl::StatusCode::kPermissionDenied, kExitDenied},
    {Dt::kLocked, absl::StatusCode::kAborted, kExitLocked},
    {Dt::kTrust, absl::StatusCode::kFailedPrecondition, kExitTrust},
    {Dt::kUnsafe, absl::StatusCode::kFailedPrecondition, kExitValidation},
    {Dt::kHook, absl::StatusCode::kFailedPrecondition, base::kExitFailure},
    {Dt::kFormat, absl::StatusCode::kFailedPrecondition, kExitValidation},
    {Dt::kCancelled, absl::StatusCode::kCancelled, base::kExitInterrupted},
    {Dt::kTimeout, absl::StatusCode::kDeadlineExceeded, kExitTimeout},
    {Dt::kNetwork, absl::StatusCode::kUnavailable, kExitNetwork},
    {Dt::kProblems, absl::StatusCode::kFailedPrecondition, kExitProblems},
    {Dt::kInternal, absl::StatusCode::kInternal, kExitUnknown},
};

const Row* FindRow(Dt code) {
  const Row* row = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const Row& candidate) { return candidate.dt == code; });
  return row == std::end(kRows) ? nullptr : row;
}

// For a failure that nobody gave an id: the closest of the table.
int ExitOfStatusCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return base::kExitOk;
    case absl::StatusCode::kCancelled:
      return base::kExitInterrupted;
    case absl::StatusCode::kInvalidArgument:
      return base::kExitUsage;
    case absl::StatusCode::kDataLoss:
      return kExitValidation;
    case absl::StatusCode::kResourceExhausted:
      return kExitStorage;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kExitPermission;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kAlreadyExists:
      return kExitExists;
    case absl::StatusCode::kUnavailable:
      return kExitNetwork;
    case absl::StatusCode::kDeadlineExceeded:
      return kExitTimeout;
    case absl::StatusCode::kAborted:
      return kExitLocked;
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
      return kExitUnknown;
    default:
      return base::kExitFailure;
  }
}

}  // namespace

absl::Status Error(Dt code, absl::string_view text, absl::string_view hint) {
  const Row* row = FindRow(code);
  SLIPWAY_CHECK(row != nullptr);
  return base::MakeError(row->code, text, {DtName(code), std::string(hint)});
}

absl::Status Wrap(const absl::Status& status, Dt code, absl::string_view context,
                  absl::string_view hint) {
  const absl::Status text = context.empty() ? status : base::Annotate(status, context);
  return base::WithInfo(text, {DtName(code), std::string(hint)});
}

bool IsOutOfSpace(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return false;
  const auto says = [&](absl::string_view words) {
    return absl::StrContains(status.message(), words);
  };
  return !says("Too many open files") && !says("Cannot allocate memory") && !says("the limit of ");
}

Dt FileErrorCode(const absl::Status& status, Dt otherwise) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return IsOutOfSpace(status) ? Dt::kDiskSpace : otherwise;
    case absl::StatusCode::kPermissionDenied:
      return Dt::kPermission;
    case absl::StatusCode::kNotFound:
      return Dt::kPathNotFound;
    case absl::StatusCode::kAlreadyExists:
      return Dt::kExists;
    default:
      return otherwise;
  }
}

int ExitCodeOf(const absl::Status& status) {
  const std::string id = base::GetErrorInfo(status).code;
  absl::string_view digits = id;
  int number = 0;
  if (absl::ConsumePrefix(&digits, "DT") && absl::SimpleAtoi(digits, &number)) {
    const Row* row = FindRow(static_cast<Dt>(number));
    if (row != nullptr && DtName(row->dt) == id) return row->exit;
  }
  return ExitOfStatusCode(status.code());
}

std::string DtName(Dt code) { return absl::StrFormat("DT%03d", static_cast<int>(code)); }

}  // namespace slipway::deploy
