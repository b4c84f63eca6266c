// Bounds of backups (STYLE S16). Thread-safe: constants.
#pragma once

#include <cstdint>

namespace slipway::eraft {

inline constexpr uint64_t kBackupManifestBytesMax = 64 << 20;
inline constexpr uint32_t kBackupChunkBytes = 1 << 20;
// Of the log that a restored or recovered directory begins with; the server makes its own.
inline constexpr uint64_t kOfflineSegmentBytes = 1 << 20;

}  // namespace slipway::eraft
