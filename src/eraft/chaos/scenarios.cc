#include "eraft/chaos/scenarios.h"

namespace slipway::eraft::chaos {

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario>& all = *[] {
    auto* scenarios = new std::vector<Scenario>;
    for (const auto& part :
         {CrashScenarios(), PowerScenarios(), DiskScenarios(), NetworkScenarios(), ClockScenarios(),
          LoadScenarios(), MemberScenarios()}) {
      scenarios->insert(scenarios->end(), part.begin(), part.end());
    }
    return scenarios;
  }();
  return all;
}

const Scenario* FindScenario(absl::string_view name) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.name == name || scenario.id == name) return &scenario;
  }
  return nullptr;
}

std::vector<std::string> SmallLogs() {
  return {"--wal-segment",      "8MiB", "--snapshot-threshold-entries", "3000",
          "--log-keep-entries", "1000"};
}

int AnyFollower(Run& run, int leader) {
  const int others = run.cluster().size() - 1;
  const int drawn = static_cast<int>(run.random().Below(static_cast<uint64_t>(others)));
  return drawn < leader ? drawn : drawn + 1;
}

}  // namespace slipway::eraft::chaos
