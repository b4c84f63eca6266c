#include "eraft/chaos/replicas.h"

#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "eraft/chaos/tools.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft::chaos {
namespace {

constexpr GroupId kGroup = 1;
constexpr absl::Duration kSnapshotIn = absl::Seconds(60);

// The members' numbers once all of them have applied all of the leader's log; else nothing, and
// why.
std::optional<std::vector<int>> AtOneIndex(Cluster& cluster, uint64_t& index, std::string& why) {
  const auto groups = cluster.Groups(absl::Seconds(2));
  const client::GroupInfo* leader = nullptr;
  for (const auto& group : groups) {
    if (group.has_value() && group->role == "Leader") leader = &*group;
  }
  if (leader == nullptr) {
    why = "nobody leads";
    return std::nullopt;
  }
  std::vector<int> members;
  for (const client::MemberInfo& member : leader->members) {
    const int node = static_cast<int>(member.node) - 1;
    const auto& group = groups[static_cast<size_t>(node)];
    if (!group.has_value() || group->applied != leader->last || group->installing) {
      why = absl::StrCat("node ", node, " is at ",
                         group.has_value() ? absl::StrCat(group->applied) : "an unknown index",
                         ", the leader's log ends at ", leader->last);
      return std::nullopt;
    }
    members.push_back(node);
  }
  index = leader->last;
  return members;
}

absl::StatusOr<Manifest> NewestManifest(base::World& world, const std::string& data_dir) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, world.files.OpenRoot(data_dir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto names, ListSnapshots(*root, kGroup));
  if (names.empty()) return absl::NotFoundError(absl::StrCat(data_dir, ": no snapshot"));
  return ReadManifest(*root, names.back());
}

}  // namespace

absl::StatusOr<Agreement> CompareReplicas(Cluster& cluster, base::World& world,
                                          const base::CancelToken& cancel, absl::Duration timeout) {
  const absl::Duration deadline = world.clock.Monotonic() + timeout;
  std::string why;
  while (world.clock.Monotonic() < deadline) {
    uint64_t index = 0;
    const auto members = AtOneIndex(cluster, index, why);
    if (!members.has_value()) {
      SLIPWAY_RETURN_IF_ERROR(Wait(absl::Milliseconds(100), cancel));
      continue;
    }
    Agreement agreement{index, static_cast<int>(members->size()), ""};
    bool moved = false;  // something was applied meanwhile
    for (const int node : *members) {
      const auto taken = cluster.admin().Snapshot(cluster.address(node), kSnapshotIn);
      if (absl::IsFailedPrecondition(taken.status())) {  // it takes one by itself; then again
        why = absl::StrCat("node ", node, ": ", taken.status().message());
        moved = true;
        break;
      }
      if (!taken.ok()) return base::Annotate(taken.status(), absl::StrCat("node ", node));
      SLIPWAY_ASSIGN_OR_RETURN(const Manifest manifest,
                               NewestManifest(world, cluster.DataDir(node)));
      const std::string digest = absl::BytesToHexString(manifest.logical_digest);
      if (manifest.index != index) {
        why =
            absl::StrCat("node ", node, " took its snapshot at ", manifest.index, ", not ", index);
        moved = true;
        break;
      }
      if (agreement.digest.empty()) agreement.digest = digest;
      if (agreement.digest != digest) {
        return absl::InternalError(absl::StrCat("replicas differ at index ", index, ": node ", node,
                                                " has ", digest, ", another ", agreement.digest));
      }
    }
    if (!moved) return agreement;
    SLIPWAY_RETURN_IF_ERROR(Wait(absl::Milliseconds(100), cancel));
  }
  return absl::DeadlineExceededError(absl::StrCat("compare replicas: ", why));
}

}  // namespace slipway::eraft::chaos
