// The DT error codes and the exit codes behind them (spec 6.11, 6.12). Thread-safe: free functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::deploy {

enum class Dt : uint8_t {
  kConfig = 1,
  kPathNotFound,
  kVersionFormat,
  kStorage,
  kPermission,
  kDiskSpace,
  kChecksum,
  kTarget,
  kMissing,
  kNotFound,
  kReleaseNotFound,
  kExists,
  kType,
  kDependency,
  kUnfinished,
  kChanged,
  kOutsideProject,
  kFileKind,
  kSecret,
  kDenied,
  kLocked,
  kTrust,
  kUnsafe,
  kHook,
  kFormat,
  kCancelled,
  kTimeout,
  kNetwork,
  kProblems = 50,
  kInternal = 99,
};

// A status with the id "DTnnn" and the code that fits it (InvalidArgument for DT001, 003, 009, 013,
// NotFound for 002, 010, 011, …). `text` is "verb object: reason"; `hint` says what to do.
absl::Status Error(Dt code, absl::string_view text, absl::string_view hint = "");

// `status` under the id `code`, its text after "`context`: "; an id it already has stays.
absl::Status Wrap(const absl::Status& status, Dt code, absl::string_view context,
                  absl::string_view hint = "");

// Whether a disk or a quota is full. What a limit of this process or of a reader gives (too many
// open files, a text that is too long) has the same code of absl and is something else.
bool IsOutOfSpace(const absl::Status& status);

// The id for a failure of the file system: no space DT006, permission DT005, not found DT002,
// exists DT012, else `otherwise`.
Dt FileErrorCode(const absl::Status& status, Dt otherwise);

// The exit code of spec 6.12 for a failed status: by its DT id, else by its code.
int ExitCodeOf(const absl::Status& status);

std::string DtName(Dt code);  // "DT010"

}  // namespace slipway::deploy
