// E415: three members become five, and the first three go, under load and kills.
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "eraft/chaos/scenarios.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kChangeIn = absl::Seconds(60);
constexpr absl::Duration kHandOverIn = absl::Seconds(10);
constexpr absl::Duration kOutageMax = absl::Seconds(3);

struct Members {
  std::set<uint64_t> voters, learners;
  std::set<uint64_t> heard;  // by the leader
  uint64_t leader = 0;
};

// Nothing: nobody tells, or a change of voters is under way.
std::optional<Members> MembersNow(Run& run) {
  const auto leader = run.cluster().Leader();
  if (!leader.has_value()) return std::nullopt;
  const auto group = run.cluster().Groups()[static_cast<size_t>(*leader)];
  if (!group.has_value()) return std::nullopt;
  Members members;
  members.leader = Cluster::IdOf(*leader);
  for (const client::MemberInfo& member : group->members) {
    if (member.role == client::MemberRole::kLeaving) return std::nullopt;
    const bool votes = member.role == client::MemberRole::kVoter;
    (votes ? members.voters : members.learners).insert(member.node);
    if (member.active) members.heard.insert(member.node);
  }
  return members;
}

// Who leads is removed after it has given its office to one who stays.
void HandOver(Run& run, const Members& now, const std::set<uint64_t>& wanted) {
  if (wanted.contains(now.leader)) return;
  for (const uint64_t id : wanted) {
    if (!now.voters.contains(id) || !now.heard.contains(id)) continue;
    // Whether it worked shows when the change is asked for.
    run.cluster().admin().TransferLeader(id, 0, kHandOverIn).status().IgnoreError();
    return;
  }
}

// Until the voters are those. A leader that dies in between leaves learners behind, or has told
// nobody: as an operator would, we look and ask again.
absl::Status ChangeTo(Run& run, const std::set<uint64_t>& wanted) {
  const absl::Duration deadline = run.now() + 2 * kChangeIn;
  absl::Status last = absl::UnavailableError("nobody leads");
  while (run.now() < deadline) {
    if (const auto now = MembersNow(run); now.has_value()) {
      if (now->voters == wanted && now->learners.empty()) return absl::OkStatus();
      HandOver(run, *now, wanted);
      client::MembershipChange change;
      for (const uint64_t id : wanted) {
        if (now->voters.contains(id)) continue;
        change.add.push_back(
            {.node = id, .address = run.cluster().address(static_cast<int>(id) - 1)});
      }
      for (const auto* const group : {&now->voters, &now->learners}) {
        for (const uint64_t id : *group) {
          if (!wanted.contains(id)) change.remove.push_back(id);
        }
      }
      last = run.cluster().admin().ChangeMembership(change, kChangeIn).status();
    }
    SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Milliseconds(200)));
  }
  return absl::DeadlineExceededError(absl::StrCat("change members: ", last.message()));
}

// Kills a node a little later, while we do something else.
base::Owned<base::Process> KillSoon(Run& run, int node) {
  base::SpawnOptions options;
  options.argv = {
      "sh", "-c",
      absl::StrCat("sleep 0.", run.random().Below(8), "; kill -9 ", run.cluster().pid(node))};
  return run.world().spawner.Spawn(std::move(options));
}

absl::Status ChangeUnderKill(Run& run, const std::set<uint64_t>& wanted, int victim) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto killer, KillSoon(run, victim));
  run.Count("kill in a change of members");
  const absl::Status changed = ChangeTo(run, wanted);
  SLIPWAY_RETURN_IF_ERROR(killer->Wait(kChangeIn).status());
  SLIPWAY_RETURN_IF_ERROR(run.cluster().AwaitExit(victim, kChangeIn).status());
  SLIPWAY_RETURN_IF_ERROR(run.cluster().StartNode(victim));
  SLIPWAY_RETURN_IF_ERROR(changed);
  return ChangeTo(run, wanted);
}

absl::Status ReplaceAll(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(3, SmallLogs()));
  const int rounds = run.Count(5);
  std::set<uint64_t> members = {1, 2, 3};
  for (int round = 0; round < rounds; ++round) {
    std::vector<int> fresh;
    for (int i = 0; i < 3; ++i) {
      SLIPWAY_ASSIGN_OR_RETURN(const int node, run.cluster().AddNode());
      SLIPWAY_RETURN_IF_ERROR(run.cluster().StartNode(node));
      fresh.push_back(node);
    }
    SLIPWAY_ASSIGN_OR_RETURN(int leader, run.cluster().AwaitLeader());
    std::set<uint64_t> five = members;
    five.insert({Cluster::IdOf(fresh[0]), Cluster::IdOf(fresh[1])});
    SLIPWAY_RETURN_IF_ERROR(ChangeUnderKill(run, five, leader));
    std::set<uint64_t> last;
    for (const int node : fresh) last.insert(Cluster::IdOf(node));
    // All of the old ones go in one step; one of the new ones dies meanwhile.
    SLIPWAY_RETURN_IF_ERROR(ChangeUnderKill(run, last, fresh[0]));
    for (const uint64_t old : members) {
      SLIPWAY_RETURN_IF_ERROR(run.cluster().Kill(static_cast<int>(old) - 1));
    }
    members = last;
    run.Count("all members replaced");
    SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Seconds(1)));
  }
  const absl::Duration outage = run.load().LongestOutageSoFar();
  SLIPWAY_RETURN_IF_ERROR(run.Finish(0.8));
  if (outage > kOutageMax) {
    return Run::Broken(absl::StrCat("no answer for ", absl::FormatDuration(outage)));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Scenario> MemberScenarios() {
  return {{"members", "E415", "3 -> 5 -> 3 with all members replaced, kills meanwhile, 5 times",
           Needs::kNothing, ReplaceAll}};
}

}  // namespace slipway::eraft::chaos
