// The BLAKE3 of a file of any size. Z82.
// Thread-safe over files of which nobody else uses the same one; blocks on reading.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/digest/blake3.h"
#include "base/files.h"
#include "base/pool.h"
#include "base/units.h"

namespace slipway::base {

// A larger file never stays in the page cache for having been hashed: it would drive out everything
// else there.
inline constexpr uint64_t kKeepCachedFileBytesMax = 1 * kGiB;

// The hash of all bytes of `file`, read and hashed by the threads of `pool` and the caller, who
// must not be a job of that pool. With `drop_cache`, or above kKeepCachedFileBytesMax, the pages
// are given back to the system as they are done with. Needs at most 8 MiB. Aborted: the file was
// changed in size while it was read; hash it again. Other errors are those of File::Stat and
// File::ReadAt.
absl::StatusOr<Blake3Digest> Blake3OfFile(File& file, Pool& pool, bool drop_cache);

}  // namespace slipway::base
