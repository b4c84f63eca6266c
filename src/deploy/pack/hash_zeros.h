// The bytes of holes, for digests of logical contents. Thread-safe: a free function.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/digest/blake3.h"
#include "base/sync/cancel.h"

namespace slipway::deploy {

// Feeds `bytes` zeros to `hash`. DT026 when cancelled meanwhile: a hole may be a terabyte.
absl::Status HashZeros(base::Blake3& hash, uint64_t bytes, const base::CancelToken& cancel,
                       absl::string_view what);

}  // namespace slipway::deploy
