// Bounds of a node (STYLE S16). Thread-safe: constants.
#pragma once

#include <cstdint>

namespace slipway::eraft {

inline constexpr uint64_t kApplyBytesMax = 4 << 20;  // payloads that one job applies
// Parts of a snapshot that are under way to one peer and not yet taken by it.
inline constexpr uint64_t kSnapshotWindow = 8;
// Of these, what one job of the disk reads.
inline constexpr uint64_t kSnapshotReadParts = 4;
static_assert(kSnapshotReadParts <= kSnapshotWindow);
// A receiver keeps parts that came early only this far ahead.
inline constexpr uint64_t kSnapshotEarlyMax = 2 * kSnapshotWindow;
// Election timeouts without a word from the other side: something is sent again after the first,
// and after the second the transfer is given up.
inline constexpr int kSnapshotResendTimeouts = 1;
inline constexpr int kSnapshotGiveUpTimeouts = 20;
inline constexpr int kSnapshotAttemptsMax = 20;  // that the receiver asked to begin again

}  // namespace slipway::eraft
