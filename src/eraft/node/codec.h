// The frames that nodes send each other: docs/formats/eraft-frames.md. Every frame has one encoding
// and a CRC over all of it; payloads of entries bring the CRC of their own along (E163).
// Thread-safe: free functions and plain values.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/transport.h"
#include "raft/message.h"
#include "raft/types.h"

namespace slipway::eraft {

inline constexpr uint8_t kFrameVersion = 1;
inline constexpr uint64_t kFrameHeaderBytes = 12;
inline constexpr uint64_t kFrameBytesMax = uint64_t{20} << 20;  // an offer with a large MANIFEST

// A snapshot for a follower: `message`, a kSnapshot, is what its Raft is told when all has come.
struct SnapshotOffer {
  uint64_t transfer = 0;  // names this attempt
  raft::Message message;
  std::string manifest;  // bytes of MANIFEST
  friend bool operator==(const SnapshotOffer&, const SnapshotOffer&);
};

struct SnapshotPart {
  uint64_t transfer = 0;
  uint64_t number = 0;  // from 0, counted from where the answer to the offer said to begin
  raft::Slice chunk;    // EncodeChunk's
  friend bool operator==(const SnapshotPart&, const SnapshotPart&) = default;
};

// Numbers stand in frames.
enum class SnapshotReply : uint8_t {
  kBegin = 1,    // send from file `next` on
  kTaken = 2,    // all parts below `next` are written
  kDone = 3,     // the snapshot is here, whole
  kBusy = 4,     // too many at a time, or no room: offer it again later
  kRestart = 5,  // the receiver does not know this transfer, or a part was damaged: offer it again
  kRefused = 6,  // it is of no use here
};

struct SnapshotAnswer {
  uint64_t transfer = 0;
  SnapshotReply reply = SnapshotReply::kBegin;
  uint64_t next = 0;  // kBegin, kTaken; else 0
  friend bool operator==(const SnapshotAnswer&, const SnapshotAnswer&) = default;
};

using FrameBody = std::variant<raft::Message, SnapshotOffer, SnapshotPart, SnapshotAnswer>;
struct Frame {
  raft::GroupId group = 0;
  FrameBody body;
};

// Entries of `message` have indexes that rise by one.
base::Bytes EncodeFrame(raft::GroupId group, const raft::Message& message);
base::Bytes EncodeFrame(raft::GroupId group, const SnapshotOffer& offer);
base::Bytes EncodeFrame(raft::GroupId group, const SnapshotPart& part);
base::Bytes EncodeFrame(raft::GroupId group, const SnapshotAnswer& answer);

// Payloads and chunks stay where they are in `bytes`, which they keep alive (E106). DataLoss for
// anything EncodeFrame did not write; FailedPrecondition for another version.
absl::StatusOr<Frame> DecodeFrame(base::Bytes bytes);

// Votes and heartbeats are never kept back by entries (E122).
base::FrameClass ClassOf(const raft::Message& message);

}  // namespace slipway::eraft
