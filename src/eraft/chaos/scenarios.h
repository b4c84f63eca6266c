// The scenarios (spec 5.2), by name. Thread-safe: free functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "eraft/chaos/run.h"

namespace slipway::eraft::chaos {

enum class Needs : uint8_t {
  kNothing,
  kShim,
  kMounts,
  kLoopDevices,
  kShimAndLoopDevices,
  kFaketime
};

struct Scenario {
  std::string name;
  std::string id;       // of the requirement
  std::string summary;  // one line
  Needs needs = Needs::kNothing;
  std::function<absl::Status(Run&)> run;  // Internal: a promise was broken
};

const std::vector<Scenario>& Scenarios();
// By name or id; null: there is none.
const Scenario* FindScenario(absl::string_view name);

// ---- One for each file of scenarios ----
std::vector<Scenario> CrashScenarios();    // processes die, stand still, lose each other
std::vector<Scenario> PowerScenarios();    // disks lose what was not synced
std::vector<Scenario> DiskScenarios();     // disks fail, are full, slow, or gone
std::vector<Scenario> NetworkScenarios();  // links that carry one way, flap, or are missing
std::vector<Scenario> ClockScenarios();    // processes and clocks that stand still or run away
std::vector<Scenario> LoadScenarios();     // much, and much at once
std::vector<Scenario> MemberScenarios();   // members come and go

// Small logs and snapshots, so that all of them happen in a short run.
std::vector<std::string> SmallLogs();
// --election-timeout where nothing is said.
inline constexpr absl::Duration kElectionTimeout = absl::Seconds(1);
// A node that does not lead; CHECK: there is one.
int AnyFollower(Run& run, int leader);
// What the leader says of the node; nothing: nobody leads or answers, or it is no member.
std::optional<client::MemberInfo> SeenByLeader(Run& run, int node);
// Puts an empty disk in the place of the node's, which is down.
absl::Status NewDisk(Run& run, int node);
// Until the node votes and the leader hears it. Internal: not within two minutes, or it ended.
absl::Status AwaitVoter(Run& run, int node);
// How many lines of the node's log have `words`.
absl::StatusOr<int> CountInLog(Run& run, int node, const std::string& words);

}  // namespace slipway::eraft::chaos
