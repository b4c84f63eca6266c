// Errors: absl::Status with a stable id and a hint, and the macros that pass them on.
// Thread-safe: free functions without state. Move a non-OK status between threads, do not share it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base {

template <class T>
using Owned = absl::StatusOr<std::unique_ptr<T>>;

// What a person can look up and do. Both may be empty.
struct ErrorInfo {
  std::string code;  // stable id, e.g. "DT010"
  std::string hint;  // what to do next, best a command
};

// A status whose text is `text` and which carries `info`. `code` must not be OK.
absl::Status MakeError(absl::StatusCode code, absl::string_view text, ErrorInfo info = {});

// The info that MakeError attached; empty fields if there is none.
ErrorInfo GetErrorInfo(const absl::Status& status);

// `status` with "`context`: " before its text; code and info are kept. OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// `status` with its hint, or its id, set where it has none yet. OK stays OK.
absl::Status WithInfo(absl::Status status, ErrorInfo info);

// A status for errno value `error`, text "`what`: <strerror>", by the table in status.cc: ENOENT is
// NotFound, EEXIST AlreadyExists, EACCES/EPERM/EROFS PermissionDenied, ENOSPC/EDQUOT/EMFILE
// ResourceExhausted, ENOTDIR/EISDIR/ENOTEMPTY/ELOOP/EXDEV FailedPrecondition, EIO DataLoss,
// EINVAL/ENAMETOOLONG InvalidArgument, EINTR Cancelled, ENOSYS/EOPNOTSUPP Unimplemented, else
// Unknown.
absl::Status ErrnoError(int error, absl::string_view what);

// The HTTP status code of the project's one table (400, 401, …). OK is 200.
int HttpStatus(absl::StatusCode code);

// Exit codes every program shares; a program's own table maps its ErrorInfo codes first.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;
inline constexpr int kExitTerminated = 143;

}  // namespace slipway::base

#define SLIPWAY_STATUS_CONCAT_INNER(a, b) a##b
#define SLIPWAY_STATUS_CONCAT(a, b) SLIPWAY_STATUS_CONCAT_INNER(a, b)

#define SLIPWAY_RETURN_IF_ERROR(expr)                                                      \
  do {                                                                                     \
    if (absl::Status slipway_status = (expr); !slipway_status.ok()) return slipway_status; \
  } while (false)

// SLIPWAY_ASSIGN_OR_RETURN(auto x, F()); a type with a comma needs `auto`.
#define SLIPWAY_ASSIGN_OR_RETURN(lhs, expr) \
  SLIPWAY_ASSIGN_OR_RETURN_INNER(SLIPWAY_STATUS_CONCAT(slipway_statusor_, __LINE__), lhs, expr)
// NOLINTBEGIN(bugprone-macro-parentheses): a name and a declaration take no parentheses
#define SLIPWAY_ASSIGN_OR_RETURN_INNER(statusor, lhs, expr) \
  auto statusor = (expr);                                   \
  if (!statusor.ok()) return std::move(statusor).status();  \
  lhs = std::move(statusor).value()
// NOLINTEND(bugprone-macro-parentheses)
