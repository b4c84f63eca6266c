// Frames between the nodes of a cluster, best effort: a frame may be lost, doubled, late or out of
// order, but arrives whole or not at all.
#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/bytes.h"

namespace slipway::base {

// What a frame is worth when the way is full: a full queue refuses kBulk and kSnapshot, but never
// kControl (votes and heartbeats), which have room of their own. kSnapshot may go a way of its own,
// where it keeps nothing else back.
enum class FrameClass : uint8_t { kControl, kBulk, kSnapshot };

// Send: from any thread. Receive: once, on the loop, before the loop turns.
class Transport {
 public:
  virtual ~Transport() = default;
  // Takes the frame on its way; never blocks. ResourceExhausted: the queue to `peer` is full;
  // NotFound: no such peer. OK says nothing about arrival.
  virtual absl::Status Send(uint64_t peer, FrameClass frame_class, Bytes frame) = 0;
  // Calls `receiver` on the loop with each frame that arrives and the peer that sent it.
  virtual void Receive(absl::AnyInvocable<void(uint64_t peer, Bytes frame)> receiver) = 0;
};

}  // namespace slipway::base
