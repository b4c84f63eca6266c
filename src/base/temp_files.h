// Names of files in the making, and what a killed process leaves of them. Thread-safe: free
// functions.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "base/files.h"

namespace slipway::base {

// Where a file needs a name before it gets its own (Dir::CreateTemp, Dir::Publish), that begins so.
inline constexpr char kTempPrefix[] = ".slipway-tmp-";

// Removes such files from `dir` unless a living process holds them, and says how many. What cannot
// be looked at or removed stays. Does not sync. Errors of listing.
absl::StatusOr<size_t> RemoveStaleTemps(Dir& dir);

}  // namespace slipway::base
