// eraftctl doctor (E35): what is wrong with a cluster, and what to do.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/doctor.h"
#include "base/status.h"
#include "base/sync/wait.h"
#include "base/units.h"
#include "eraft/cli/commands.h"

namespace slipway::eraft::cli {
namespace {

using base::cli::Doctor;
using base::cli::Invocation;
using client::GroupInfo;
using client::MemberInfo;
using client::MemberRole;
using client::NodeInfo;

constexpr absl::Duration kClockWarn = absl::Milliseconds(500), kClockFail = absl::Seconds(10);
constexpr absl::Duration kSyncWarn = absl::Milliseconds(50), kSyncFail = absl::Milliseconds(500);
constexpr uint64_t kFreeWarn = uint64_t{1} << 30, kFreeFail = uint64_t{256} << 20;
constexpr absl::Duration kCertificateWarn = absl::Hours(14 * 24);
constexpr uint64_t kLagWarn = 4096;             // entries; as readiness has it (E28)
constexpr uint64_t kSnapshotWarn = 10'000'000;  // entries since the last
constexpr absl::Duration kWatch = absl::Seconds(1);
constexpr char kOtherData[] = "its data are not those that it had";  // how a node refuses another

// Nodes by what is to be said of them; one line for all that are well.
class Per {
 public:
  Per(Doctor& doctor, std::string check) : doctor_(doctor), check_(std::move(check)) {}
  ~Per() {
    if (bad_ == 0 && !well_.empty()) doctor_.Ok(check_, absl::StrJoin(well_, "; "));
  }
  Per(const Per&) = delete;
  Per& operator=(const Per&) = delete;
  void Well(std::string text) { well_.push_back(std::move(text)); }
  void Warn(absl::string_view text, absl::string_view remedy) {
    ++bad_;
    doctor_.Warn(check_, text, remedy);
  }
  void Fail(absl::string_view text, absl::string_view remedy) {
    ++bad_;
    doctor_.Fail(check_, text, remedy);
  }

 private:
  Doctor& doctor_;
  const std::string check_;
  std::vector<std::string> well_;
  int bad_ = 0;
};

void Reachability(const Infos& infos, Doctor& doctor) {
  Per from_here(doctor, "reachable");
  for (const auto& node : infos) {
    if (node.answer.ok()) {
      from_here.Well(node.address);
    } else if (absl::IsPermissionDenied(node.answer.status()) ||
               absl::IsUnauthenticated(node.answer.status())) {
      from_here.Fail(absl::StrCat(node.address, ": ", node.answer.status().message()),
                     "doctor needs the role admin: give --token or a certificate that has it");
    } else {
      const std::string hint = base::GetErrorInfo(node.answer.status()).hint;
      from_here.Fail(
          absl::StrCat(node.address, ": ", node.answer.status().message()),
          hint.empty() ? "start kvserver there, or open the port between here and there" : hint);
    }
  }
  Per between(doctor, "peers");
  for (const auto& node : infos) {
    if (!node.answer.ok()) continue;
    size_t reached = 0;
    for (const client::PeerInfo& peer : node.answer->peers) {
      reached += peer.reachable ? 1 : 0;
      if (peer.reachable) continue;
      between.Fail(absl::StrCat("node ", node.answer->node, " does not reach node ", peer.node,
                                " at ", peer.address, peer.error.empty() ? "" : ": ", peer.error),
                   absl::StrContains(peer.error, kOtherData)
                       ? "one of the two lost its data: a leader with --auto-repair takes it in "
                         "again, else eraftctl member remove and add"
                   : absl::StrContains(peer.error, "knows no such member")
                       ? "eraftctl member list shows who is one; stop who was removed"
                       : "check that node, and the way from one to the other");
    }
    between.Well(absl::StrCat("node ", node.answer->node, " reaches ", reached));
  }
}

std::string RemedyOfPart(const NodeInfo& node, absl::string_view reason) {
  if (absl::StrContains(reason, "was removed")) return "stop it, and move its data directory away";
  if (absl::StrContains(reason, "no member yet")) {
    return absl::StrCat("eraftctl member add ", node.node, " ", node.address);
  }
  if (absl::StartsWith(reason, "data: ")) {
    return "a leader with --auto-repair takes it in again, else eraftctl member remove and add";
  }
  return "if it stays so: the node's log says more";
}

// Alarms have lines of their own.
void Readiness(const Infos& infos, Doctor& doctor) {
  Per per(doctor, "ready");
  for (const auto& node : infos) {
    if (!node.answer.ok()) continue;
    const NodeInfo& info = *node.answer;
    if (info.phase == "draining") {
      per.Warn(absl::StrCat("node ", info.node, " was drained and begins nothing new"),
               "restart kvserver there when it is to serve again");
    }
    for (const std::string& reason : info.not_ready) {
      if (absl::StartsWith(reason, "space: ") || absl::StartsWith(reason, "memory: ")) continue;
      per.Fail(absl::StrCat("node ", info.node, ": ", reason), RemedyOfPart(info, reason));
    }
    per.Well(absl::StrCat("node ", info.node));
  }
}

void Clocks(const Infos& infos, Doctor& doctor) {
  Per per(doctor, "clock");
  for (const auto& node : infos) {
    if (!node.answer.ok()) continue;
    const NodeInfo& info = *node.answer;
    // Its clock was read somewhere between question and answer.
    const absl::Duration off = info.wall - info.heard;
    const absl::Duration apart =
        std::max(absl::AbsDuration(off) - info.asked_for, absl::ZeroDuration());
    const std::string text =
        absl::StrCat("node ", info.node, " differs by ", absl::FormatDuration(apart));
    constexpr char kRemedy[] = "let a time service (chrony, systemd-timesyncd) set the clocks";
    if (apart >= kClockFail) {
      per.Fail(text, kRemedy);
    } else if (apart >= kClockWarn) {
      per.Warn(text, kRemedy);
    } else {
      per.Well(absl::StrCat("node ", info.node));
    }
  }
}

// The voters whose data others do not know as theirs.
std::vector<uint64_t> LostData(const Infos& infos, const GroupInfo& group) {
  std::set<uint64_t> lost;
  for (const auto& node : infos) {
    if (!node.answer.ok()) continue;
    for (const client::PeerInfo& peer : node.answer->peers) {
      for (const MemberInfo& member : group.members) {
        const std::string refusal = absl::StrCat("greet node ", member.node, ": ", kOtherData);
        const bool votes = member.role != MemberRole::kLearner;
        if (votes && absl::StrContains(peer.error, refusal)) lost.insert(member.node);
      }
    }
  }
  return {lost.begin(), lost.end()};
}

void NobodyLeads(const Infos& infos, const GroupInfo& group, Doctor& doctor) {
  const std::string text =
      absl::StrCat("nobody who answers leads; the highest term is ", group.term);
  const auto voters =
      std::count_if(group.members.begin(), group.members.end(),
                    [](const MemberInfo& member) { return member.role != MemberRole::kLearner; });
  const std::vector<uint64_t> lost = LostData(infos, group);
  if (lost.empty() || lost.size() * 2 < static_cast<size_t>(voters)) {
    return doctor.Fail("quorum", text,
                       "start enough nodes for a majority, and let them reach each other");
  }
  doctor.Fail("quorum",
              absl::StrCat(text, ", and nodes ", absl::StrJoin(lost, ", "), " of ", voters,
                           " voters lost their data"),
              "start them with the data that they had; where those are gone for good, eraftctl "
              "unsafe-recover on a node that has its own, or restore a backup");
}

void Quorum(const Infos& infos, const Groups& groups, Doctor& doctor) {
  const auto group = GroupOf(groups);
  if (!group.ok()) {
    return doctor.Fail("quorum", group.status().message(), "start the nodes");
  }
  const bool answers = std::any_of(infos.begin(), infos.end(), [&](const auto& node) {
    return node.answer.ok() && node.answer->node == group->leader;
  });
  if (group->role != "Leader" && group->leader != 0 && !answers) {
    return doctor.Fail(
        "quorum",
        absl::StrCat("node ", group->leader, " leads, and it is not among ", "those who answer"),
        "give its address in --addrs, too; eraftctl member list shows it");
  }
  if (group->role != "Leader") return NobodyLeads(infos, *group, doctor);
  size_t voters = 0, active = 0;
  std::vector<std::string> silent;
  for (const MemberInfo& member : group->members) {
    if (member.role == MemberRole::kLearner) continue;
    ++voters;
    if (member.active) {
      ++active;
    } else {
      silent.push_back(absl::StrCat("node ", member.node, " at ", member.address));
    }
  }
  const std::string text = absl::StrCat(active, " of ", voters, " voters are heard from");
  const bool one_more = active > voters / 2 + 1 || active == voters;
  if (voters == 1) {
    doctor.Warn("quorum", "the only voter is there: losing it loses the data", "add two members");
  } else if (active * 2 <= voters) {
    doctor.Fail("quorum", text, absl::StrCat("bring back ", absl::StrJoin(silent, ", ")));
  } else if (!one_more || !silent.empty()) {
    doctor.Warn("quorum", text, absl::StrCat("bring back ", absl::StrJoin(silent, ", ")));
  } else {
    doctor.Ok("quorum", text);
  }
}

void Progress(const Groups& before, const Groups& groups, Doctor& doctor) {
  const auto now = GroupOf(groups), then = GroupOf(before);
  if (!now.ok() || !then.ok()) return;
  if (now->term != then->term) {
    doctor.Warn(
        "leader",
        absl::StrCat("the term rose from ", then->term, " to ", now->term, " while this looked"),
        "look at the log lines about elections; slow disks and full networks cause them");
  } else if (now->leader != 0) {
    doctor.Ok("leader", absl::StrCat("node ", now->leader, " leads in term ", now->term));
  }
  Per log(doctor, "log"), snapshot(doctor, "snapshot");
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!groups[i].answer.ok() || groups[i].answer->empty()) continue;
    const GroupInfo& group = groups[i].answer->front();
    const uint64_t behind = now->commit - std::min(now->commit, group.applied);
    const std::string name = groups[i].address;
    if (behind < kLagWarn) {
      log.Well(absl::StrCat(name, " applied ", group.applied));
    } else {
      const bool stands = before[i].answer.ok() && !before[i].answer->empty() &&
                          before[i].answer->front().applied == group.applied;
      const std::string text =
          absl::StrCat(name, " is ", behind, " entries behind", stands ? " and does not move" : "");
      if (stands && !group.installing) {
        log.Fail(text, "look at its alarms, its disk and its log");
      } else {
        log.Warn(text, "wait; it catches up");
      }
    }
    const uint64_t since = group.applied - std::min(group.applied, group.snapshot);
    if (since < kSnapshotWarn) {
      snapshot.Well(absl::StrCat(name, " at ", group.snapshot));
    } else {
      snapshot.Warn(absl::StrCat(name, ": ", since, " entries since the last snapshot"),
                    absl::StrCat("eraftctl snapshot take ", name,
                                 ", or a smaller --snapshot-threshold-entries"));
    }
  }
}

void Disks(const Infos& infos, Doctor& doctor) {
  Per sync(doctor, "disk latency"), space(doctor, "disk space");
  for (const auto& node : infos) {
    if (!node.answer.ok()) continue;
    const NodeInfo& info = *node.answer;
    const std::string took =
        absl::StrCat("node ", info.node, " syncs in ", absl::FormatDuration(info.sync));
    constexpr char kFaster[] = "give it a disk of its own, with a write cache that survives a cut";
    if (info.sync >= kSyncFail) {
      sync.Fail(took, kFaster);
    } else if (info.sync >= kSyncWarn) {
      sync.Warn(took, kFaster);
    } else {
      sync.Well(took);
    }
    const std::string free =
        absl::StrCat("node ", info.node, " has ", base::FormatSize(info.disk_free_bytes), " free");
    if (info.disk_free_bytes < kFreeFail) {
      space.Fail(free, absl::StrCat("free space at ", info.address));
    } else if (info.disk_free_bytes < kFreeWarn) {
      space.Warn(free, absl::StrCat("free space at ", info.address));
    } else {
      space.Well(free);
    }
  }
}

void Certificates(const Infos& infos, absl::Time now, Doctor& doctor) {
  Per per(doctor, "certificate");
  for (const auto& node : infos) {
    if (!node.answer.ok() || !node.answer->cert_not_after.has_value()) continue;
    const absl::Time end = *node.answer->cert_not_after;
    const std::string text = absl::StrCat("that of node ", node.answer->node, " is good until ",
                                          absl::FormatTime("%Y-%m-%d", end, absl::UTCTimeZone()));
    if (end <= now) {
      per.Fail(text, "replace its files; they are read again by themselves");
    } else if (end - now < kCertificateWarn) {
      per.Warn(text, "replace its files; they are read again by themselves");
    } else {
      per.Well(text);
    }
  }
}

// Who is not asked tells neither its alarms nor anything else.
void Asked(const Infos& infos, const Groups& groups, Doctor& doctor) {
  const auto group = GroupOf(groups);
  if (!group.ok()) return;
  std::vector<std::string> others;
  for (const MemberInfo& member : group->members) {
    const bool asked = std::any_of(infos.begin(), infos.end(), [&](const auto& node) {
      return node.address == member.address ||
             (node.answer.ok() && node.answer->node == member.node);
    });
    if (!asked) others.push_back(absl::StrCat("node ", member.node, " at ", member.address));
  }
  // Whoever does not answer may be one of them, by another name.
  const auto silent =
      std::count_if(infos.begin(), infos.end(), [](const auto& node) { return !node.answer.ok(); });
  if (others.size() <= static_cast<size_t>(silent)) return doctor.Ok("asked", "all members");
  doctor.Warn("asked",
              absl::StrCat("not asked, and may have alarms: ", absl::StrJoin(others, ", ")),
              "name all members in --addrs");
}

// "node 1, node 2: this; node 3: that".
using NodesBy = std::map<std::string, std::vector<std::string>>;
std::string TextOf(const NodesBy& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const auto& [value, nodes] : values) {
    texts.push_back(absl::StrCat(absl::StrJoin(nodes, ", "), ": ", value));
  }
  return absl::StrJoin(texts, "; ");
}

void Engines(const Infos& infos, Doctor& doctor) {
  NodesBy engines;
  for (const auto& node : infos) {
    if (!node.answer.ok()) continue;
    engines[node.answer->engine].push_back(absl::StrCat("node ", node.answer->node));
  }
  if (engines.empty()) return;
  if (engines.size() == 1) return doctor.Ok("engine", engines.begin()->first);
  doctor.Warn("engine", TextOf(engines),
              "no member takes a snapshot of another engine: remove who has the other one, and "
              "add it with an empty directory and the --engine of the rest");
}

void Versions(const Infos& infos, Doctor& doctor) {
  NodesBy versions;
  std::set<std::string> clusters;
  for (const auto& node : infos) {
    if (!node.answer.ok()) continue;
    versions[node.answer->version].push_back(absl::StrCat("node ", node.answer->node));
    clusters.insert(node.answer->cluster);
  }
  if (versions.empty()) return;
  if (clusters.size() > 1) {
    doctor.Fail("cluster", absl::StrCat("the addresses belong to ", clusters.size(), " clusters"),
                "give the addresses of one");
  }
  if (versions.size() == 1) return doctor.Ok("version", versions.begin()->first);
  doctor.Warn("version", TextOf(versions), "finish the upgrade");
}

// Writes are refused meanwhile, and taken again when it is over.
absl::string_view RemedyOf(absl::string_view alarm) {
  if (alarm == "NOSPACE") return "free space there; it goes on by itself";
  if (alarm == "QUOTA") return "delete keys, or start the node with a larger --quota-bytes";
  if (alarm == "MEMORY") return "a smaller load, or a larger --memory-soft-limit";
  return "the node's log says more";
}

void Alarms(const AlarmLists& alarms, Doctor& doctor) {
  Per per(doctor, "alarms");
  for (const auto& node : alarms) {
    if (!node.answer.ok()) continue;
    if (node.answer->empty()) per.Well(node.address);
    for (const std::string& alarm : *node.answer) {
      per.Fail(absl::StrCat(node.address, ": ", alarm), RemedyOf(alarm));
    }
  }
}

}  // namespace

void Examine(const Infos& infos, const Groups& before, const Groups& groups,
             const AlarmLists& alarms, absl::Time now, Doctor& doctor) {
  Reachability(infos, doctor);
  Readiness(infos, doctor);
  Quorum(infos, groups, doctor);
  Progress(before, groups, doctor);
  Alarms(alarms, doctor);
  Asked(infos, groups, doctor);
  Disks(infos, doctor);
  Clocks(infos, doctor);
  Certificates(infos, now, doctor);
  Engines(infos, doctor);
  Versions(infos, doctor);
}

void AddDoctorCommand(base::cli::Program& program, const std::shared_ptr<AdminContext>& context) {
  base::cli::Command& doctor = program.Add("doctor", "Look for what is wrong, and say what to do");
  doctor.Description(
      "Asks all nodes and prints OK, WARN or FAIL for each thing looked at, with a remedy. 0: "
      "nothing failed; 1: something did.");
  context->connection.Declare(doctor);
  doctor.Run([context](Invocation& in) -> absl::Status {
    SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context->Connect(in));
    const absl::Duration begun = in.world.clock.Monotonic();
    Groups before;
    AlarmLists alarms;
    Infos infos;
    SLIPWAY_RETURN_IF_ERROR(base::ParallelFor(in.world.pool, 3, [&](size_t i) {
      if (i == 0) before = admin->Groups(context->each());
      if (i == 1) alarms = admin->Alarms(context->each());
      if (i == 2) infos = admin->Infos(context->each());
      return absl::OkStatus();
    }));
    const absl::Time now = in.world.clock.Wall();
    // Whether the log moves and the leader stays is seen by looking twice.
    const absl::Duration rest = kWatch - (in.world.clock.Monotonic() - begun);
    SLIPWAY_RETURN_IF_ERROR(context->pause(rest, in.cancel));
    const Groups groups = admin->Groups(context->each());
    Doctor report;
    Examine(infos, before, groups, alarms, now, report);
    return report.Report(in);
  });
}

}  // namespace slipway::eraft::cli
