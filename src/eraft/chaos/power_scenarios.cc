// E404, E405: the power goes, and disks had not written what they said they had.
#include <set>

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "eraft/chaos/scenarios.h"

namespace slipway::eraft::chaos {
namespace {

constexpr uint64_t kImageBytes = 384 * base::kMiB;

absl::Status BeginOnImages(Run& run, bool shim) {
  SLIPWAY_RETURN_IF_ERROR(run.Make(run.Nodes(3), SmallLogs(), shim));
  const auto nodes = static_cast<uint64_t>(run.cluster().size());
  SLIPWAY_RETURN_IF_ERROR(run.disks().Begin(2 * nodes * kImageBytes));
  for (int i = 0; i < run.cluster().size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(run.disks().MountImage(run.cluster().DiskDir(i), kImageBytes));
  }
  SLIPWAY_RETURN_IF_ERROR(run.StartCluster());
  return run.StartLoad();
}

// At one moment for all of them.
absl::Status CutPower(Run& run, const std::set<int>& nodes) {
  Cluster& cluster = run.cluster();
  for (const int node : nodes) SLIPWAY_RETURN_IF_ERROR(cluster.Pause(node));
  for (const int node : nodes) {
    SLIPWAY_RETURN_IF_ERROR(run.disks().TakePicture(cluster.DiskDir(node)));
  }
  for (const int node : nodes) SLIPWAY_RETURN_IF_ERROR(cluster.Kill(node));
  for (const int node : nodes) {
    SLIPWAY_RETURN_IF_ERROR(run.disks().BackToPicture(cluster.DiskDir(node)));
  }
  return absl::OkStatus();
}

absl::Status PowerCuts(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(BeginOnImages(run, false));
  const int cuts = run.Count(200);
  const int nodes = run.cluster().size();
  for (int cut = 0; cut < cuts; ++cut) {
    SLIPWAY_RETURN_IF_ERROR(
        run.Wait(absl::Milliseconds(100 + static_cast<int64_t>(run.random().Below(900)))));
    // Each in turn, then all at once; the first of few cuts is that of all.
    std::set<int> victims;
    const int turn = cut % (nodes + 1);
    for (int i = 0; i < nodes; ++i) {
      if (turn == 0 || turn == i + 1) victims.insert(i);
    }
    run.Count(turn == 0 ? "cut of all" : absl::StrCat("cut of node ", turn - 1));
    SLIPWAY_RETURN_IF_ERROR(CutPower(run, victims));
    for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(run.cluster().Launch(node));
    for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(run.cluster().AwaitServing(node));
    SLIPWAY_RETURN_IF_ERROR(run.cluster().AwaitLeader().status());
    if (cut % 20 == 19) run.Say(absl::StrCat(cut + 1, " of ", cuts, " cuts"));
  }
  return run.Finish(0);
}

// One disk at a time says that it has written what it has not; then its node loses power, as a
// follower: the others, whose disks are honest, go on and have all that was acknowledged.
absl::Status LyingDisk(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(BeginOnImages(run, true));
  const int rounds = run.Count(20);
  int fenced = 0;
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    const int liar = AnyFollower(run, leader);
    SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(liar, "lie"));
    SLIPWAY_RETURN_IF_ERROR(
        run.Wait(absl::Milliseconds(500 + static_cast<int64_t>(run.random().Below(2000)))));
    if (run.cluster().Leader() == liar) {  // by chance; another time
      SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(liar, "ok"));
      continue;
    }
    run.Count("cut of a liar");
    SLIPWAY_RETURN_IF_ERROR(CutPower(run, {liar}));
    SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(liar, "ok"));
    const absl::Status started = run.cluster().StartNode(liar);
    if (absl::IsFailedPrecondition(started)) {
      ++fenced;  // it says that its disk lost something
      run.Say(std::string(started.message()));
      return Run::Broken(absl::StrCat("the node does not start any more: ", started.message()));
    }
    SLIPWAY_RETURN_IF_ERROR(started);
  }
  run.Note("fenced", fenced);
  return run.Finish(0.5);
}

}  // namespace

std::vector<Scenario> PowerScenarios() {
  return {
      {"power", "E404", "200 power cuts, of each node in turn and of all at once",
       Needs::kLoopDevices, PowerCuts},
      {"liar", "E405", "a follower's disk lies about syncs, then its power is cut, 20 times",
       Needs::kShimAndLoopDevices, LyingDisk},
  };
}

}  // namespace slipway::eraft::chaos
