#include "eraft/chaos/scenarios.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kVoterIn = absl::Minutes(2);

bool IsHeardVoter(Run& run, int node) {
  const auto member = SeenByLeader(run, node);
  return member.has_value() && member->active && member->role == client::MemberRole::kVoter &&
         member->match > 0;
}

}  // namespace

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

std::optional<client::MemberInfo> SeenByLeader(Run& run, int node) {
  const auto leader = run.cluster().Leader();
  if (!leader.has_value()) return std::nullopt;
  const auto group = run.cluster().Groups(absl::Seconds(2))[static_cast<size_t>(*leader)];
  if (!group.has_value()) return std::nullopt;
  for (const client::MemberInfo& member : group->members) {
    if (member.node == Cluster::IdOf(node)) return member;
  }
  return std::nullopt;
}

absl::Status NewDisk(Run& run, int node) {
  return RunTool(run.world(), {"rm", "-rf", run.cluster().DataDir(node)}).status();
}

absl::Status AwaitVoter(Run& run, int node) {
  bool ended = false;
  const absl::Status status = WaitFor(absl::StrCat("node ", node, " votes and is heard"), kVoterIn,
                                      run.world().clock, run.cancel(), [&] {
                                        ended = !run.cluster().IsUp(node);
                                        return ended || IsHeardVoter(run, node);
                                      });
  if (absl::IsDeadlineExceeded(status)) return Run::Broken(std::string(status.message()));
  if (ended) return Run::Broken(absl::StrCat("node ", node, " ended by itself"));
  return status;
}

absl::StatusOr<int> CountInLog(Run& run, int node, const std::string& words) {
  // grep leaves with 1 where it finds none, and counts all the same.
  SLIPWAY_ASSIGN_OR_RETURN(
      std::string text, RunTool(run.world(), {"sh", "-c", "grep -c -- \"$1\" \"$2\" || true", "sh",
                                              words, run.cluster().LogFile(node)}));
  int count = 0;
  absl::StripTrailingAsciiWhitespace(&text);
  if (!absl::SimpleAtoi(text, &count)) return absl::InternalError("count in log: " + text);
  return count;
}

}  // namespace slipway::eraft::chaos
