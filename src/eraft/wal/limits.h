// Bounds of the write-ahead log (STYLE S16). Thread-safe: constants.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "base/units.h"

namespace slipway::eraft::wal {

inline constexpr uint64_t kSegmentBytesDefault = 64 * base::kMiB;
inline constexpr uint64_t kSegmentBytesMin = 16 * base::kKiB;  // for tests; a header has 4 KiB
inline constexpr uint64_t kSegmentBytesMax = base::kGiB;

// One write and one sync carry at most this part of a segment, and one record this part of a batch:
// a torn tail is bounded by the first, the memory of reading a record back by the second.
inline constexpr uint64_t kBatchesPerSegmentMin = 4;
inline constexpr uint64_t kRecordsPerBatchMin = 2;

// A record of an entry may be larger than that, up to what any peer can send, whatever segments it
// has: it goes alone into a batch, and where need be into a segment of its own size.
inline constexpr uint64_t kEntryRecordBytesMax = 24 * base::kMiB;

// What may wait for the writer, of all groups together, before Append refuses.
inline constexpr uint64_t kQueueBytesDefault = 64 * base::kMiB;

// A group that holds more than so many old segments, with less than this part of a segment, has
// what it holds written again at the end of the log (E115).
inline constexpr uint64_t kOldSegmentsMax = 4;
inline constexpr uint64_t kCopyForwardDivisor = 4;

inline constexpr uint64_t kMembersMax = 1024;              // of one list of a membership
inline constexpr uint64_t kSnapshotDetailBytesMax = 4096;  // of a snapshot intent
inline constexpr uint64_t kTwoCopyBytesMax = 64 * base::kMiB;

// HARD is at most this much older than the log (spec 6.5).
inline constexpr absl::Duration kHardCopyAgeMax = absl::Seconds(1);

}  // namespace slipway::eraft::wal
