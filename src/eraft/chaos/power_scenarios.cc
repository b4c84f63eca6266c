// E404, E405: the power goes, and disks had not written what they said they had.
#include <set>

#include "absl/strings/str_cat.h"
#include "base/cli/server_flags.h"
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

// A node that found out what its disk did ends with 5, and says what; an operator gives it a disk
// that does not lie, and the others take it in again.
absl::Status ReplaceFenced(Run& run, int node) {
  if (run.cluster().pid(node) != 0) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto status,
                             run.cluster().AwaitExit(node, absl::ZeroDuration()));
    if (status.code != base::cli::kExitStorage) {
      return Run::Broken(absl::StrCat("node ", node, " ended with ", status.code, ", not 5"));
    }
  }
  run.Count("fenced with a report, its disk replaced");
  SLIPWAY_RETURN_IF_ERROR(NewDisk(run, node));
  return run.cluster().StartNode(node);
}

// One disk at a time says that it has written what it has not; then its node loses power. The
// others, whose disks are honest, go on and have all that was acknowledged.
absl::Status LyingDisk(Run& run, bool leads) {
  SLIPWAY_RETURN_IF_ERROR(BeginOnImages(run, true));
  const int rounds = run.Count(20);
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    const int liar = leads ? leader : AnyFollower(run, leader);
    SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(liar, "lie"));
    SLIPWAY_RETURN_IF_ERROR(
        run.Wait(absl::Milliseconds(500 + static_cast<int64_t>(run.random().Below(2000)))));
    if ((run.cluster().Leader() == liar) != leads) {  // by chance; another time
      SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(liar, "ok"));
      continue;
    }
    run.Count(leads ? "cut of a liar that led" : "cut of a liar");
    SLIPWAY_RETURN_IF_ERROR(CutPower(run, {liar}));
    SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(liar, "ok"));
    absl::Status started = run.cluster().StartNode(liar);
    if (absl::IsFailedPrecondition(started)) {
      run.Say(std::string(started.message()));
      started = ReplaceFenced(run, liar);
    }
    SLIPWAY_RETURN_IF_ERROR(started);
    SLIPWAY_RETURN_IF_ERROR(AwaitVoter(run, liar));
  }
  return run.Finish(0.5);
}

}  // namespace

std::vector<Scenario> PowerScenarios() {
  return {
      {"power", "E404", "200 power cuts, of each node in turn and of all at once",
       Needs::kLoopDevices, PowerCuts},
      {"liar", "E405", "a follower's disk lies about syncs, then its power is cut, 20 times",
       Needs::kShimAndLoopDevices, [](Run& run) { return LyingDisk(run, /*leads=*/false); }},
      {"liar-leader", "E405-leader", "likewise the leader's disk, 20 times",
       Needs::kShimAndLoopDevices, [](Run& run) { return LyingDisk(run, /*leads=*/true); }},
  };
}

}  // namespace slipway::eraft::chaos
