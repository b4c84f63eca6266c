// The limits of a store (STYLE S16). A command beyond one is refused before it is proposed; one
// that is in the log all the same gets an error for an answer (E71, E153).
#pragma once

#include <cstdint>

namespace slipway::eraft {

inline constexpr uint64_t kKeyBytesMax = 64 << 10;
inline constexpr uint64_t kValueBytesMax = 8 << 20;

// A value up to this size is one row when it is put; a longer one is cut (E153).
inline constexpr uint64_t kPlainBytesMax = 64 << 10;
inline constexpr uint64_t kChunkBytesMax = 64 << 10;
// What grows by appends is one row up to this size, and afterwards has a tail below it: so much,
// and no more, is written again by each append.
inline constexpr uint64_t kTailBytesMax = 4 << 10;
static_assert(kTailBytesMax <= kChunkBytesMax);

// E143.
inline constexpr uint64_t kSessionTtlMs = uint64_t{24} * 3600 * 1000;
inline constexpr uint64_t kSessionsMax = 1'000'000;
inline constexpr uint64_t kWindowCommands = 1024;  // of a strict session, not yet acknowledged
inline constexpr uint64_t kAnswersPerRow = 32;  // of commands with numbers that follow each other
// The last use of a session is noted to this precision, upwards: it never expires early.
inline constexpr uint64_t kActivityQuantumMs = 1000;
inline constexpr int kEvictionsPerCommand = 16;

inline constexpr uint64_t kBatchBytesMax = 4
                                           << 20;  // of one engine batch, but for its last command

inline constexpr uint64_t kManifestBytesMax = 16 << 20;
inline constexpr uint32_t kSnapshotChunkBytes = 1 << 20;  // E161
// Of a file that is received, written before the disk is told to begin: the sync at its end then
// finds little to wait for.
inline constexpr uint64_t kSnapshotWriteBehindBytes = 4 << 20;
// A receiver asks for room on its disk before it takes so much. What is smaller has room in a
// node's reserve (E167).
inline constexpr uint64_t kSnapshotRoomAskedBytes = 64 << 20;
inline constexpr uint64_t kSnapshotFilesMax = 100'000;

}  // namespace slipway::eraft
