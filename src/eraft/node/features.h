// Which kinds of commands a cluster may write while its members are of several versions (E125). A
// node that does not know a kind would execute it as none, and differ from the others for ever: so
// a kind is used only when all members have announced that they know it. Thread-safe: free
// functions.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "eraft/node/handover.h"
#include "eraft/store/command.h"
#include "raft/types.h"

namespace slipway::eraft {

// What this program understands; it goes up by one with each release that brings a new kind.
inline constexpr uint32_t kEntryLevel = 1;

// The first level that knows the kind.
uint32_t LevelOf(CommandOp op);

// What all members understand, voters and learners, those on their way out too: `own` for `self`,
// and the first level for whoever has not greeted yet.
uint32_t ClusterLevel(const raft::Membership& members, raft::NodeId self, uint32_t own,
                      absl::Span<const PeerSight> peers);

// FailedPrecondition where `needed` is above `cluster`, what ClusterLevel says.
absl::Status CheckLevel(uint32_t needed, uint32_t cluster);

}  // namespace slipway::eraft
