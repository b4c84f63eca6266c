// Bounds of the links between nodes (STYLE S16). Thread-safe: constants.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::eraft::link {

inline constexpr size_t kFrameBytesMax = 20 << 20;   // of one frame, as eraft/node has it
inline constexpr size_t kPartBytesMax = 1 << 20;     // of a frame in one message
inline constexpr size_t kMessageBytesMax = 1 << 20;  // of all parts of one message that is sent
inline constexpr size_t kPartsMax = 1024;            // of one message
inline constexpr size_t kCopyBytesMax = 1024;        // a part this small is copied: cheaper
inline constexpr size_t kHelloBytesMax = 1024;       // of the first message
inline constexpr size_t kAddressBytesMax = 256;      // in a greeting
inline constexpr size_t kControlBytesMax = 8 << 20;  // of a queue's control frames

inline constexpr size_t kStrangersMax =
    64;  // streams that have not greeted; at one more the oldest gives way
// After so long it is looked again whether who speaks may: a token may have been taken away.
inline constexpr absl::Duration kAdmittedFor = absl::Seconds(1);
inline constexpr size_t kGuestsMax = 16;  // no known members, heard while no leader is known
// Of one stream, handed to the loop and not yet taken; then no more is read.
inline constexpr size_t kUnhandledBytesMax = 4 << 20;
inline constexpr size_t kUnhandledMessagesMax = 16;

inline constexpr absl::Duration kTick = absl::Milliseconds(100);
inline constexpr absl::Duration kGreetTimeout = absl::Seconds(5);
inline constexpr absl::Duration kProbeInterval = absl::Milliseconds(500);  // of a stream at rest
inline constexpr absl::Duration kProbeGapMin = absl::Milliseconds(50);     // of a busy one
// An echo that takes longer: the stream is opened anew. Parts of a snapshot may fill the buffers of
// a slow way.
inline constexpr absl::Duration kEchoTimeout = absl::Seconds(3);
inline constexpr absl::Duration kSnapshotEchoTimeout = absl::Seconds(10);
inline constexpr absl::Duration kSilenceMax = absl::Seconds(15);       // of a stream that came
inline constexpr absl::Duration kSnapshotIdleMax = absl::Seconds(30);  // then its lane is closed
inline constexpr absl::Duration kBackoffMin = absl::Milliseconds(100);
inline constexpr absl::Duration kBackoffMax = absl::Seconds(1);
// What waits for a connection for longer is given up: its sender has said it again, or something
// newer.
inline constexpr absl::Duration kStaleAfter = absl::Seconds(1);
inline constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
inline constexpr absl::Duration kToldAgainAfter = absl::Seconds(60);  // the same log line

static_assert(kPartBytesMax <= kMessageBytesMax);
static_assert(kConnectTimeout < kGreetTimeout);

}  // namespace slipway::eraft::link
