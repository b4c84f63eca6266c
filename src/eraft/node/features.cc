#include "eraft/node/features.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

constexpr uint32_t kFirstLevel = 1;

}  // namespace

uint32_t LevelOf(CommandOp op) {
  switch (op) {
    case CommandOp::kPut:
    case CommandOp::kAppend:
    case CommandOp::kDelete:
    case CommandOp::kCompareAndSet:
    case CommandOp::kRegisterSession:
    case CommandOp::kCloseSession:
    case CommandOp::kSetSessionLimits:
    case CommandOp::kDeleteShard:
      return kFirstLevel;
  }
  return UINT32_MAX;  // nobody knows it
}

uint32_t ClusterLevel(const raft::Membership& members, raft::NodeId self, uint32_t own,
                      absl::Span<const PeerSight> peers) {
  if (SLIPWAY_MUTANT("node-level-of-one")) return own;
  uint32_t level = own;
  for (const raft::NodeId id : raft::MembersOf(members)) {
    if (id == self) continue;
    const auto peer = std::find_if(peers.begin(), peers.end(),
                                   [id](const PeerSight& sight) { return sight.id == id; });
    const uint32_t announced = peer == peers.end() ? 0 : peer->feature_level;
    level = std::min(level, std::max(announced, kFirstLevel));
  }
  return level;
}

absl::Status CheckLevel(uint32_t needed, uint32_t cluster) {
  if (needed <= cluster) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "write: such commands need feature level ", needed, ", and not all members have more than ",
      cluster, "; upgrade them, eraftctl doctor names them"));
}

}  // namespace slipway::eraft
