// E402: processes are killed, stand still and lose each other, while clients go on.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "eraft/chaos/scenarios.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(5);
constexpr double kAvailableMin = 0.9;

// Not more than a minority.
std::set<int> Victims(Run& run) {
  const auto nodes = static_cast<uint64_t>(run.cluster().size());
  const uint64_t most = (nodes - 1) / 2;
  const uint64_t wanted = 1 + run.random().Below(most);
  std::set<int> victims;
  while (victims.size() < wanted) victims.insert(static_cast<int>(run.random().Below(nodes)));
  return victims;
}

absl::Status Kill(Run& run, const std::set<int>& victims, absl::Duration hold) {
  run.Count("kill");
  for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(run.cluster().Kill(node));
  SLIPWAY_RETURN_IF_ERROR(run.Wait(hold));
  for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(run.cluster().StartNode(node));
  return absl::OkStatus();
}

absl::Status StandStill(Run& run, const std::set<int>& victims, absl::Duration hold) {
  run.Count("pause");
  for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(run.cluster().Pause(node));
  SLIPWAY_RETURN_IF_ERROR(run.Wait(hold));
  for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(run.cluster().Resume(node));
  return absl::OkStatus();
}

absl::Status Partition(Run& run, const std::set<int>& victims, absl::Duration hold) {
  const bool one_way = run.random().Chance(33);
  run.Count(one_way ? "partition one way" : "partition");
  for (const int inside : victims) {
    for (int outside = 0; outside < run.cluster().size(); ++outside) {
      if (victims.contains(outside)) continue;
      run.cluster().proxy().Cut(inside, outside, true);
      if (!one_way) run.cluster().proxy().Cut(outside, inside, true);
    }
  }
  SLIPWAY_RETURN_IF_ERROR(run.Wait(hold));
  run.cluster().proxy().HealAll();
  return absl::OkStatus();
}

absl::Status Chaos(Run& run, bool kills_only) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3), SmallLogs()));
  const absl::Duration duration = run.Duration(absl::Minutes(30));
  const absl::Duration every = std::min(kEvery, duration / 4);
  const absl::Duration end = run.now() + duration;
  while (run.now() + every <= end) {
    const absl::Duration next = run.now() + every;
    // Held for 20 to 60 % of the time between two faults.
    const absl::Duration hold =
        every * (0.2 + 0.4 * static_cast<double>(run.random().Below(100)) / 100.0);
    const std::set<int> victims = Victims(run);
    switch (kills_only ? 0 : run.random().Below(3)) {
      case 0:
        SLIPWAY_RETURN_IF_ERROR(Kill(run, victims, hold));
        break;
      case 1:
        SLIPWAY_RETURN_IF_ERROR(StandStill(run, victims, hold));
        break;
      default:
        SLIPWAY_RETURN_IF_ERROR(Partition(run, victims, hold));
    }
    SLIPWAY_RETURN_IF_ERROR(run.Wait(next - run.now()));
  }
  return run.Finish(kAvailableMin);
}

}  // namespace

std::vector<Scenario> CrashScenarios() {
  return {
      {"chaos", "E402", "kill -9, SIGSTOP or partition of a minority every 5 s, 30 min",
       Needs::kNothing, [](Run& run) { return Chaos(run, false); }},
      {"kills", "E402-kills", "kill -9 of a minority every 5 s, 30 min", Needs::kNothing,
       [](Run& run) { return Chaos(run, true); }},
  };
}

}  // namespace slipway::eraft::chaos
