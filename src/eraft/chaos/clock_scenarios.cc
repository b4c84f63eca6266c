// E411, E412: a leader that stands still, and clocks that jump or run too fast, with lease reads.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "eraft/chaos/probe.h"
#include "eraft/chaos/scenarios.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

std::vector<std::string> LeaseReads() {
  std::vector<std::string> arguments = SmallLogs();
  arguments.insert(arguments.end(), {"--read-mode", "lease", "--max-clock-drift", "0.05"});
  return arguments;
}

// What is read from the one that was the leader, the moment it wakes, must be new.
absl::Status PausedLeader(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3), LeaseReads()));
  const int rounds = run.Count(6);
  const absl::Duration hold = run.Duration(absl::Seconds(10));
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    run.Count("pause of the leader");
    SLIPWAY_RETURN_IF_ERROR(run.cluster().Pause(leader));
    SLIPWAY_RETURN_IF_ERROR(run.Wait(hold));
    SLIPWAY_RETURN_IF_ERROR(run.cluster().Resume(leader));
    SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Seconds(2)));
  }
  return run.Finish(0.5);
}

// Node 0's clock runs 4 % fast, node 1's 4 % slow, and the wall clock of all jumps by an hour at
// each start: libfaketime, as it is told by the environment, cannot change its mind later.
absl::Status WrongClocks(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Make(run.Nodes(3), LeaseReads()));
  const std::string library = FaketimeLibrary(run.world());
  const char* const rates[] = {"x1.04", "x0.96", "x1"};
  const auto set_clock = [&](int node, const char* jump) {
    run.cluster().SetEnvironment(node, {{"LD_PRELOAD", library},
                                        {"FAKETIME", absl::StrCat(jump, " ", rates[node % 3])},
                                        {"FAKETIME_NO_CACHE", "1"}});
  };
  for (int i = 0; i < run.cluster().size(); ++i) set_clock(i, "+0");
  SLIPWAY_RETURN_IF_ERROR(run.StartCluster());
  SLIPWAY_RETURN_IF_ERROR(run.StartLoad());
  const uint64_t before = run.cluster().Term();
  const int rounds = run.Count(10);
  const char* const jumps[] = {"+3600s", "-3600s", "+0"};
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    const int node = round % 2 == 0 ? leader : AnyFollower(run, leader);
    run.Count("jump of a clock");
    SLIPWAY_RETURN_IF_ERROR(run.cluster().Kill(node));
    set_clock(node, jumps[round % 3]);
    SLIPWAY_RETURN_IF_ERROR(run.cluster().StartNode(node));
    SLIPWAY_RETURN_IF_ERROR(run.Wait(run.Duration(absl::Seconds(10))));
  }
  const uint64_t passed = run.cluster().Term() - before;
  run.Note("terms_passed", passed);
  if (passed > 2 * static_cast<uint64_t>(rounds)) {
    return Run::Broken(absl::StrCat(passed, " terms passed in ", rounds, " restarts"));
  }
  return run.Finish(0.5);
}

}  // namespace

std::vector<Scenario> ClockScenarios() {
  return {
      {"pause", "E411", "the leader stands still for 10 s, with lease reads: no read is old",
       Needs::kNothing, PausedLeader},
      {"clocks", "E412", "clocks that run 4 % apart and jump by an hour, with lease reads",
       Needs::kFaketime, WrongClocks},
  };
}

}  // namespace slipway::eraft::chaos
