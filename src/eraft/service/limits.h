// Bounds and names of kvserver (STYLE S16). Thread-safe: constants.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "eraft/node/cluster.h"

namespace slipway::eraft {

inline constexpr size_t kMessageBytesMax = 10 << 20;  // a value of 8 MiB, its key, and room

inline constexpr int kElectionHeartbeatsMin = 5;  // E31

inline constexpr absl::Duration kLegacyAnswerMax = absl::Milliseconds(500);  // E60
inline constexpr absl::Duration kPipelineAnswerMax = absl::Seconds(10);
inline constexpr uint64_t kApplyLagMax = 8192;  // entries; above it writes are refused (E171)

inline constexpr size_t kPipelineCommandsMax = 16'384;      // of one batch
inline constexpr size_t kPipelineReadsMax = 256;            // that one job reads
inline constexpr size_t kPipelineReadJobsMax = 4;           // of one stream at a time
inline constexpr uint64_t kPipelineReadBytesMax = 4 << 20;  // after which a job ends
// Results that the client has not taken; above it no further message of it is read.
inline constexpr uint64_t kPipelineBufferedMax = 16 << 20;
// The same of all streams together, and of the answers of other calls; above it reads are answered
// BUSY, or ErrTimeout, and streams and calls that have taken nothing for so long are ended.
inline constexpr uint64_t kPipelinesBufferedMax = 128 << 20;
inline constexpr absl::Duration kPipelineStallMax = absl::Seconds(5);
inline constexpr uint64_t kAnswerHeldMin = 4 << 10;  // smaller ones of unary calls do not count
inline constexpr uint64_t kPipelineMessageBytesMax = 1 << 20;  // unless one result is larger
// Of one SCAN: with one value more it still fits a message.
inline constexpr uint64_t kScanAnswerBytesMax = 1 << 20;
inline constexpr uint64_t kScanKeysMax = 100'000;

inline constexpr int kBackupsMax = 2;  // that are taken from one node at a time
// Until the snapshot for one is there: its bytes are all read once.
inline constexpr absl::Duration kBackupPrepareMax = absl::Hours(1);

inline constexpr absl::Duration kTransferMax = absl::Seconds(2);  // at a drain (E195)
inline constexpr absl::Duration kLookEvery = absl::Milliseconds(50);
inline constexpr absl::Duration kHousekeepingEvery = absl::Seconds(1);
inline constexpr absl::Duration kProgressMax = absl::Seconds(10);  // of a live process (E28)

}  // namespace slipway::eraft
