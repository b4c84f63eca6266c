#include "faults.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/sim/random.h"

namespace slipway::eraft::simulation {
namespace {

constexpr std::array<absl::string_view, kProfiles> kProfileNames = {
    "calm",       "network",    "crash",   "disk",  "clock",
    "membership", "corruption", "leaders", "power", "mixed"};

struct Row {
  absl::string_view name;
  // How often, against the others of a profile: network, crash, disk, clock, membership,
  // corruption, leaders, power. Mixed takes the sum.
  std::array<int, 8> weights;
};
constexpr std::array<Row, kFaultKinds> kRows = {{
    {"kill", {1, 12, 3, 3, 4, 3, 4, 4}},
    {"power-loss", {1, 12, 6, 1, 4, 2, 6, 4}},
    {"power-loss-at", {0, 12, 8, 0, 2, 2, 3, 10}},
    {"power-loss-of-all", {0, 3, 3, 0, 1, 0, 1, 3}},
    {"power-loss-after-install", {0, 8, 4, 0, 3, 0, 0, 8}},
    {"pause", {3, 3, 1, 6, 2, 1, 0, 0}},
    {"suspend", {1, 1, 0, 5, 1, 0, 0, 0}},
    {"isolate", {8, 4, 1, 4, 4, 2, 2, 5}},
    {"deafen", {5, 1, 0, 2, 1, 1, 0, 0}},
    {"mute", {5, 1, 0, 2, 1, 1, 0, 0}},
    {"late-answers", {3, 0, 0, 8, 0, 0, 2, 0}},
    {"split", {8, 2, 1, 2, 4, 1, 3, 2}},
    {"cut-link", {6, 1, 0, 1, 1, 1, 3, 0}},
    {"flap", {4, 0, 0, 1, 1, 0, 0, 0}},
    {"bad-weather", {8, 3, 1, 2, 3, 2, 4, 2}},
    {"slow-link", {4, 1, 0, 1, 1, 0, 0, 0}},
    {"slow-disk", {1, 3, 8, 1, 1, 1, 2, 2}},
    {"disk-error", {0, 2, 8, 0, 1, 0, 0, 2}},
    {"disk-full", {0, 0, 6, 0, 1, 0, 0, 0}},
    {"clock-rate", {0, 0, 0, 12, 0, 0, 0, 0}},
    {"clock-jump", {0, 1, 0, 10, 0, 0, 0, 0}},
    {"bit-flip", {0, 0, 0, 0, 0, 6, 0, 0}},
    {"misdirect", {0, 0, 0, 0, 0, 6, 0, 0}},
    {"members", {0, 0, 0, 0, 30, 1, 0, 0}},
    {"transfer", {2, 2, 1, 4, 4, 1, 2, 3}},
    {"campaign", {2, 2, 0, 2, 2, 0, 3, 0}},
    {"snapshot", {2, 4, 4, 1, 4, 4, 3, 6}},
    {"burst", {2, 2, 2, 1, 1, 1, 3, 3}},
    {"lonely-leader", {0, 0, 0, 0, 0, 0, 20, 0}},
    {"power-loss-in-burst", {0, 0, 0, 0, 0, 0, 0, 30}},
    {"uproar", {0, 0, 0, 0, 12, 0, 20, 0}},
}};

int WeightOf(const Row& row, Profile profile) {
  if (profile == Profile::kCalm) return 0;
  if (profile != Profile::kMixed) return row.weights[static_cast<size_t>(profile) - 1];
  int sum = 0;
  for (const int weight : row.weights) sum += weight;
  return sum;
}

// Rarely with regard to the number of faults in a run: with f faulty disks at most, the rest of the
// faults has little left to hit.
absl::Duration Spread(base::sim::Stream& choices, int64_t ms_min, int64_t ms_max) {
  return absl::Microseconds(
      ms_min * 1000 +
      static_cast<int64_t>(choices.Below(static_cast<uint64_t>((ms_max - ms_min) * 1000 + 1))));
}

}  // namespace

absl::string_view ProfileName(Profile profile) {
  return kProfileNames[static_cast<size_t>(profile)];
}

absl::StatusOr<Profile> ParseProfile(absl::string_view name) {
  for (size_t i = 0; i < kProfileNames.size(); ++i) {
    if (kProfileNames[i] == name) return static_cast<Profile>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("--profile ", name, ": it is one of ",
                                                 absl::StrJoin(kProfileNames, ", "), " or all"));
}

bool IsFrozen(Profile profile) {
  return profile == Profile::kCrash || profile == Profile::kDisk || profile == Profile::kCorruption;
}

absl::string_view FaultName(FaultKind kind) { return kRows[static_cast<size_t>(kind)].name; }

std::string Describe(const Fault& fault) {
  return absl::StrCat(FaultName(fault.kind), " of ",
                      fault.node == 0 ? "the leader" : absl::StrCat("node ", fault.node), " for ",
                      absl::FormatDuration(fault.lasts), ", other ", fault.other, ", choice ",
                      fault.choice);
}

std::vector<Fault> PlanFaults(const FaultPlanOptions& options) {
  std::vector<Fault> faults;
  int total = 0;
  for (const Row& row : kRows) total += WeightOf(row, options.profile);
  if (total == 0) return faults;
  base::sim::Stream choices(base::sim::Mix(options.seed, 30));
  // Some runs are stormy, some give the cluster time to get far.
  const int64_t gap_ms = int64_t{40} << choices.Below(5);
  absl::Duration at = Spread(choices, 50, 400);
  const auto nodes = static_cast<uint64_t>(options.nodes);
  while (at < options.until) {
    auto dice = static_cast<int>(choices.Below(static_cast<uint64_t>(total)));
    size_t kind = 0;
    while (dice >= WeightOf(kRows[kind], options.profile)) {
      dice -= WeightOf(kRows[kind++], options.profile);
    }
    Fault& fault = faults.emplace_back();
    fault.kind = static_cast<FaultKind>(kind);
    fault.at = at;
    fault.lasts = choices.Chance(25) ? Spread(choices, 500, 3000) : Spread(choices, 5, 500);
    fault.node = choices.Chance(40) ? 0 : 1 + choices.Below(nodes);
    // Only who leads can hand the office over.
    if (fault.kind == FaultKind::kTransfer && !IsFrozen(options.profile)) fault.node = 0;
    fault.other = 1 + choices.Below(nodes);
    fault.choice = choices.Next();
    at += choices.Chance(15) ? Spread(choices, 0, 10) : Spread(choices, 0, 2 * gap_ms);
  }
  return faults;
}

}  // namespace slipway::eraft::simulation
