// E408, E409, E410, E416: disks that fail, are full, slow, or gone.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cli/server_flags.h"
#include "base/units.h"
#include "eraft/chaos/scenarios.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

constexpr uint64_t kSmallDiskBytes = 160 * base::kMiB;
constexpr absl::Duration kRecoverIn = absl::Seconds(60);
// What a node says that knows itself refused.
constexpr char kWaitsWords[] = "waits until they take it in again";

// Clients are answered again: as many as there are, from now on.
absl::Status AwaitAnswers(Run& run, absl::string_view what) {
  const uint64_t wanted = run.load().answered() + static_cast<uint64_t>(run.settings().clients);
  return WaitFor(what, kRecoverIn, run.world().clock, run.cancel(),
                 [&] { return run.load().answered() >= wanted; });
}

// ---- E408 ----

absl::Status Fill(Run& run, int node) {
  // It ends when there is no more room, as it should.
  return RunTool(run.world(), {"sh", "-c", "cat /dev/zero >\"$1/filler\" 2>/dev/null || true", "sh",
                               run.cluster().DiskDir(node)})
      .status();
}
absl::Status Free(Run& run, int node) {
  return RunTool(run.world(), {"rm", "-f", absl::StrCat(run.cluster().DiskDir(node), "/filler")})
      .status();
}

// What a supervisor does: starts again what has ended, after a second. Counts the ends.
absl::Status Supervise(Run& run, absl::Duration time, int& ends) {
  Cluster& cluster = run.cluster();
  const absl::Duration until = run.now() + time;
  while (run.now() < until) {
    for (int node = 0; node < cluster.size(); ++node) {
      if (cluster.IsUp(node)) continue;
      ++ends;
      if (cluster.pid(node) != 0) {
        SLIPWAY_ASSIGN_OR_RETURN(const auto status, cluster.AwaitExit(node, absl::ZeroDuration()));
        if (status.code != base::cli::kExitStorage) {
          return Run::Broken(absl::StrCat("node ", node, " ended with ", status.code, ", not 5"));
        }
      }
      SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Seconds(1)));
      const absl::Status started = cluster.StartNode(node);
      if (!started.ok() && !absl::IsFailedPrecondition(started)) return started;
    }
    SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Milliseconds(100)));
  }
  return absl::OkStatus();
}

absl::Status FullDisk(Run& run) {
  std::vector<std::string> arguments = SmallLogs();
  // So that what is applied meanwhile has to be written, too.
  arguments.insert(arguments.end(), {"--write-buffer", "1MiB"});
  SLIPWAY_RETURN_IF_ERROR(run.Make(run.Nodes(3), arguments));
  for (int i = 0; i < run.cluster().size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(run.disks().MountMemory(run.cluster().DiskDir(i), kSmallDiskBytes));
  }
  SLIPWAY_RETURN_IF_ERROR(run.StartCluster());
  SLIPWAY_RETURN_IF_ERROR(run.StartLoad());
  const absl::Duration hold = run.Duration(absl::Seconds(20));
  int ends = 0;
  for (const char* whose : {"follower", "leader", "all"}) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    std::set<int> victims;
    if (whose == absl::string_view("follower")) victims.insert(AnyFollower(run, leader));
    if (whose == absl::string_view("leader")) victims.insert(leader);
    for (int i = 0; whose == absl::string_view("all") && i < run.cluster().size(); ++i) {
      victims.insert(i);
    }
    run.Count(absl::StrCat("full disk of ", whose));
    run.Say(absl::StrCat("full disk: ", whose));
    int these = 0;
    for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(Fill(run, node));
    SLIPWAY_RETURN_IF_ERROR(Supervise(run, hold, these));
    for (const int node : victims) SLIPWAY_RETURN_IF_ERROR(Free(run, node));
    // It may end once for want of room, and not be able to start before there is some.
    SLIPWAY_RETURN_IF_ERROR(Supervise(run, absl::Seconds(2), these));
    SLIPWAY_RETURN_IF_ERROR(AwaitAnswers(run, absl::StrCat("answers after ", whose)));
    run.Note(absl::StrCat("ends_", whose), these);
    ends += these;
  }
  run.Note("ends", ends);
  return run.Finish(0);
}

// ---- E409 ----

absl::Status SyncFails(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3), SmallLogs(), true));
  const int rounds = run.Count(10);
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    const int victim = round % 2 == 0 ? leader : AnyFollower(run, leader);
    run.Count(victim == leader ? "EIO of the leader" : "EIO of a follower");
    SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(victim, "eio"));
    SLIPWAY_ASSIGN_OR_RETURN(const base::ExitStatus status,
                             run.cluster().AwaitExit(victim, absl::Seconds(60)));
    if (status.code != base::cli::kExitStorage) {
      return Run::Broken(absl::StrCat("a failed sync: exit code ", status.code, ", signal ",
                                      status.signal, "; it should be 5"));
    }
    SLIPWAY_RETURN_IF_ERROR(AwaitAnswers(run, "answers of the others"));
    SLIPWAY_RETURN_IF_ERROR(run.cluster().StartNode(victim));
    SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Milliseconds(500)));
  }
  return run.Finish(0.5);
}

// ---- E410 ----

absl::Status SlowDisk(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3), SmallLogs(), true));
  const absl::Duration quiet = std::min(absl::Seconds(5), run.Duration(absl::Seconds(5)));
  const int rounds = run.Count(5);
  absl::Duration slowest;
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    SLIPWAY_RETURN_IF_ERROR(run.Wait(quiet));
    run.Count("slow disk of the leader");
    SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(leader, "slow 2000"));
    const absl::Duration began = run.now();
    SLIPWAY_RETURN_IF_ERROR(WaitFor("another leader than the one with the slow disk",
                                    10 * kElectionTimeout, run.world().clock, run.cancel(), [&] {
                                      const auto now = run.cluster().Leader();
                                      return now.has_value() && *now != leader;
                                    }));
    slowest = std::max(slowest, run.now() - began);
    SLIPWAY_RETURN_IF_ERROR(run.Wait(quiet));  // while the disk is slow still
    SLIPWAY_RETURN_IF_ERROR(run.cluster().SetDiskFault(leader, "ok"));
    SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Seconds(3)));
  }
  run.Note("leadership_moved_ms", absl::ToInt64Milliseconds(slowest));
  if (slowest > 3 * kElectionTimeout) {
    return Run::Broken(absl::StrCat("leadership moved after ", absl::FormatDuration(slowest),
                                    ", not within 3 election timeouts"));
  }
  return run.Finish(0.5);
}

// ---- E416 ----

// Whether the leader has the node as a member that it does not hear.
bool IsMissed(Run& run, int node) {
  const auto member = SeenByLeader(run, node);
  return member.has_value() && !member->active;
}

// What an operator does for a node whose disk is new: `eraftctl member remove`, start it with
// --join, `eraftctl member add`.
absl::Status Readmit(Run& run, int node) {
  Cluster& cluster = run.cluster();
  client::MembershipChange change;
  change.remove = {Cluster::IdOf(node)};
  SLIPWAY_RETURN_IF_ERROR(cluster.admin().ChangeMembership(change, kRecoverIn).status());
  SLIPWAY_RETURN_IF_ERROR(cluster.Join(node));
  SLIPWAY_RETURN_IF_ERROR(cluster.StartNode(node));
  change = {};
  change.add.push_back({.node = Cluster::IdOf(node), .address = cluster.address(node)});
  return cluster.admin().ChangeMembership(change, 2 * kRecoverIn).status();
}

// Comes back without its memory, under its old id: it might vote twice in a term, so nobody
// listens.
absl::Status ComeBackEmpty(Run& run, int victim) {
  SLIPWAY_RETURN_IF_ERROR(run.cluster().Kill(victim));
  SLIPWAY_RETURN_IF_ERROR(NewDisk(run, victim));
  SLIPWAY_RETURN_IF_ERROR(run.cluster().StartNode(victim));
  const absl::Status missed =
      WaitFor("nobody listens to a node without its data", kRecoverIn, run.world().clock,
              run.cancel(), [&] { return IsMissed(run, victim); });
  if (absl::IsDeadlineExceeded(missed)) return Run::Broken(std::string(missed.message()));
  SLIPWAY_RETURN_IF_ERROR(missed);
  // It may be a moment ago that it was taken in; until then it has no term of its own.
  const uint64_t term = run.cluster().Term();
  const auto itself = run.cluster().Groups(absl::Seconds(2))[static_cast<size_t>(victim)];
  if (itself.has_value() && (itself->role == "Leader" || itself->term > term)) {
    return Run::Broken(absl::StrCat("a node without its data is ", itself->role, " in term ",
                                    itself->term, " beside a group in term ", term));
  }
  return absl::OkStatus();
}

absl::Status LostDisk(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3), SmallLogs()));
  const int rounds = run.Count(5);
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    const bool leads = round % 3 == 1;
    const int victim = leads ? leader : AnyFollower(run, leader);
    SLIPWAY_ASSIGN_OR_RETURN(const int waited, CountInLog(run, victim, kWaitsWords));
    run.Count(leads ? "lost disk of the leader" : "lost disk");
    SLIPWAY_RETURN_IF_ERROR(ComeBackEmpty(run, victim));
    const absl::Duration began = run.now();
    SLIPWAY_RETURN_IF_ERROR(AwaitVoter(run, victim));
    SLIPWAY_ASSIGN_OR_RETURN(const int waits, CountInLog(run, victim, kWaitsWords));
    if (waits <= waited) {
      return Run::Broken(absl::StrCat("node ", victim, " did not know that it had to wait"));
    }
    run.Note(absl::StrCat("again_after_ms_", round), absl::ToInt64Milliseconds(run.now() - began));
    run.Count("taken in again by itself");
    SLIPWAY_RETURN_IF_ERROR(AwaitAnswers(run, "answers of all"));
  }
  return run.Finish(0.5);
}

absl::Status LostDiskOfOperator(Run& run) {
  std::vector<std::string> arguments = SmallLogs();
  arguments.emplace_back("--auto-repair=false");
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3), std::move(arguments)));
  const int rounds = run.Count(5);
  for (int round = 0; round < rounds; ++round) {
    SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
    const int victim = AnyFollower(run, leader);
    run.Count("lost disk");
    SLIPWAY_RETURN_IF_ERROR(ComeBackEmpty(run, victim));
    SLIPWAY_RETURN_IF_ERROR(run.Wait(5 * kElectionTimeout));
    if (!IsMissed(run, victim)) return Run::Broken("it was taken in without --auto-repair");
    SLIPWAY_RETURN_IF_ERROR(AwaitAnswers(run, "answers of the others"));
    SLIPWAY_RETURN_IF_ERROR(run.cluster().Kill(victim));
    SLIPWAY_RETURN_IF_ERROR(NewDisk(run, victim));
    SLIPWAY_RETURN_IF_ERROR(Readmit(run, victim));
    run.Count("taken in again");
  }
  return run.Finish(0.5);
}

}  // namespace

std::vector<Scenario> DiskScenarios() {
  return {
      {"full", "E408", "the disk of a follower, the leader, all is full for 20 s, then has room",
       Needs::kMounts, FullDisk},
      {"eio", "E409", "a sync fails once: the node ends with 5, the others go on, it comes back",
       Needs::kShim, SyncFails},
      {"slow", "E410", "each sync of the leader takes 2 s: another one leads soon", Needs::kShim,
       SlowDisk},
      {"lost-disk", "E416",
       "a node comes back without its data under its old id, and is taken in again by itself",
       Needs::kNothing, LostDisk},
      {"new-disk", "E416-operator", "the same without --auto-repair: an operator takes it in again",
       Needs::kNothing, LostDiskOfOperator},
  };
}

}  // namespace slipway::eraft::chaos
