#include "injector.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::eraft::simulation {
namespace {

namespace sim = base::sim;

constexpr absl::Duration kDownMin = absl::Milliseconds(2);
// A damaged disk's process lives so long before it is killed: by then later writes and HARD, which
// is written each second, vouch for what was acknowledged, so that the damage cannot be taken for
// the torn end that every crash leaves.
constexpr absl::Duration kVouchedAfter = absl::Seconds(3);

sim::Loss LossOf(uint64_t choice) {
  constexpr sim::Loss kLosses[] = {sim::Loss::kSeeded, sim::Loss::kSeeded, sim::Loss::kOrdered,
                                   sim::Loss::kLoseAllUnsynced};
  return kLosses[choice % 4];
}

bool IsOfNetwork(FaultKind kind) {
  switch (kind) {
    case FaultKind::kSuspend:
    case FaultKind::kIsolate:
    case FaultKind::kDeafen:
    case FaultKind::kMute:
    case FaultKind::kLateAnswers:
    case FaultKind::kSplit:
    case FaultKind::kCutLink:
    case FaultKind::kFlap:
    case FaultKind::kBadWeather:
    case FaultKind::kSlowLink:
      return true;
    default:
      return false;
  }
}

}  // namespace

Injector::Injector(Common& common, std::vector<std::unique_ptr<Machine>>& machines,
                   Clients& clients, Options options)
    : common_(common), machines_(machines), clients_(clients), options_(options) {
  SetLinks();
}

void Injector::After(absl::Duration delay, std::function<void()> then) {
  common_.loop.After(delay, [this, then = std::move(then)] {
    if (!calm_) then();
  });
}

void Injector::Schedule(const std::vector<Fault>& plan, const std::vector<int>& numbers) {
  for (const int number : numbers) {
    if (static_cast<size_t>(number) >= plan.size()) continue;  // of a run with more steps
    const Fault& fault = plan[static_cast<size_t>(number)];
    After(fault.at, [this, number, fault] { Happen(number, fault); });
  }
}

raft::NodeId Injector::Leader() const {
  raft::NodeId leader = 1;
  raft::Term term = 0;
  for (const auto& machine : machines_) {
    if (!machine->up()) continue;
    const auto status = machine->node()->GetStatus(1);
    if (!status.ok() || status->raft.role != raft::Role::kLeader) continue;
    if (status->raft.term > term) leader = machine->id();
    term = std::max(term, status->raft.term);
  }
  return leader;
}

void Injector::Happen(int number, const Fault& planned) {
  Fault fault = planned;
  if (fault.node == 0) fault.node = Leader();
  happened_.push_back(number);
  common_.trace.AddAll(number, fault.kind, fault.node);
  common_.trace.Say([&] { return absl::StrCat("FAULT ", number, " ", Describe(fault)); });
  Machine& machine = *machines_[fault.node - 1];
  took_effect_ = true;
  HappenToProcess(fault, machine);
  HappenToDisk(fault, machine);
  HappenToClock(fault, machine);
  HappenToGroup(fault, machine);
  if (IsOfNetwork(fault.kind)) HappenToNetwork(fault);
  if (took_effect_) ++coverage_[fault.kind];
}

// ---- Processes ----

void Injector::HappenToProcess(const Fault& fault, Machine& machine) {
  switch (fault.kind) {
    case FaultKind::kKill:
      return Kill(machine, sim::Loss::kKeepAll, fault.lasts);
    case FaultKind::kPowerLoss:
      return Kill(machine, LossOf(fault.choice), fault.lasts);
    case FaultKind::kPowerLossAt:
      took_effect_ = machine.up() && spared_until_[machine.id()] <= now();
      if (!took_effect_) return;
      machine.SetLoss(LossOf(fault.choice));
      return machine.disk().PowerLossAt(static_cast<int>(1 + fault.choice / 4 % 40));
    case FaultKind::kPowerLossInBurst:
      return LosePowerInBurst(fault, machine);
    case FaultKind::kPowerLossAfterInstall:
      machine.SetLoss(LossOf(fault.choice));
      return machine.PowerLossAfterInstall(static_cast<int>(1 + fault.choice / 4 % 12));
    case FaultKind::kPowerLossOfAll:
      for (const auto& each : machines_) {
        Kill(*each, LossOf(sim::Mix(fault.choice, each->id())),
             fault.lasts * static_cast<double>(1 + sim::Mix(fault.choice, each->id()) % 3) / 3);
      }
      return;
    case FaultKind::kPause:
    case FaultKind::kSuspend:
      machine.loop().Pause();
      return After(fault.lasts, [&machine] { machine.loop().Resume(); });
    default:
      return;
  }
}

// The log's writer writes and syncs at a stroke, so that only here a write is lost or torn. Writes
// of many sectors need much to write.
void Injector::LosePowerInBurst(const Fault& fault, Machine& machine) {
  clients_.Burst(Leader(), static_cast<int>(5 + fault.choice % 60));
  const int operation = static_cast<int>(1 + fault.choice / 64 % 6);
  const bool all = fault.choice / 512 % 8 == 0;
  // And once more while it recovers, or soon after.
  if (fault.choice >> 40 & 1) again_[machine.id()] = 1 + static_cast<int>(fault.choice >> 41 & 31);
  After(absl::Microseconds(static_cast<int64_t>(fault.choice / 4096 % 4000)),
        [this, &machine, operation, all, choice = fault.choice] {
          for (const auto& each : machines_) {
            if (!each->up() || (each.get() != &machine && !all)) continue;
            each->SetLoss(LossOf(sim::Mix(choice, each->id())));
            each->disk().PowerLossAt(operation);
          }
        });
}

void Injector::Kill(Machine& machine, sim::Loss loss, absl::Duration down) {
  took_effect_ = machine.up() && spared_until_[machine.id()] <= now();
  if (!took_effect_) return;
  machine.Kill(loss);
  StartLater(machine, down);
}

void Injector::StartLater(Machine& machine, absl::Duration after) {
  common_.loop.After(std::max(after, kDownMin), [this, &machine] {
    if (machine.up() || machine.fenced()) return;
    const auto again = again_.find(machine.id());
    if (again != again_.end() && !calm_) {
      machine.disk().PowerLossAt(again->second);
      again_.erase(again);
    }
    machine.Start();
    if (!machine.up() && !machine.fenced()) StartLater(machine, absl::Milliseconds(50));
  });
}

void Injector::Reap() {
  for (const auto& machine : machines_) {
    if (machine->Reap()) StartLater(*machine, absl::Milliseconds(30));
  }
  if (uproar_until_ > now()) ContinueUproar();
}

// ---- Disks ----

void Injector::HappenToDisk(const Fault& fault, Machine& machine) {
  switch (fault.kind) {
    case FaultKind::kSlowDisk: {
      const auto takes = absl::Microseconds(1000 << (fault.choice % 12));
      machine.wal_pool().SetTakes(takes / 2, takes);
      if (fault.choice / 16 % 2 == 0) machine.pool().SetTakes(takes / 2, takes);
      return After(fault.lasts, [&machine] {
        machine.wal_pool().SetTakes(absl::Microseconds(50), absl::Microseconds(500));
        machine.pool().SetTakes(absl::Microseconds(50), absl::Microseconds(500));
      });
    }
    case FaultKind::kDiskError:
      machine.NoteDiskFault();
      machine.disk().FailAt(static_cast<int>(1 + fault.choice % 30), base::ErrnoError(EIO, "disk"),
                            /*sticky=*/fault.choice / 32 % 4 == 0);
      return After(fault.lasts, [&machine] { machine.ClearDiskFaults(); });
    case FaultKind::kDiskFull:
      return FillDisk(fault, machine);
    case FaultKind::kBitFlip:
      return FlipBit(fault, machine);
    case FaultKind::kMisdirect:
      return Misdirect(fault, machine);
    default:
      return;
  }
}

void Injector::FillDisk(const Fault& fault, Machine& machine) {
  machine.NoteDiskFault();
  if (fault.choice % 3 == 0) {  // also where a real disk would still have room
    machine.disk().FailAt(1, base::ErrnoError(ENOSPC, "disk"), /*sticky=*/true);
  } else {
    uint64_t used = 0;
    for (const auto& [path, bytes] : machine.disk().List()) used += (bytes + 4095) / 4096 * 4096;
    machine.disk().SetCapacity(used + fault.choice / 4 % 8 * 4096);
  }
  After(fault.lasts, [&machine] { machine.ClearDiskFaults(); });
}

// E202. A minority of those that every membership of this run has.
bool Injector::MayDamage(Machine& machine) {
  if (members_changed_) return false;
  if (machine.damaged()) return true;
  const auto damaged = std::count_if(machines_.begin(), machines_.end(),
                                     [](const auto& each) { return each->damaged(); });
  const auto faulty_max = static_cast<int64_t>(common_.members.voters.size() - 1) / 2;
  return damaged < faulty_max;
}

// A bit of what is cold: not of the newest segments, whose end cannot be told from what a crash
// tore.
void Injector::FlipBit(const Fault& fault, Machine& machine) {
  took_effect_ = false;
  if (!MayDamage(machine)) return;
  std::vector<std::string> cold, segments;
  for (const auto& [path, bytes] : machine.disk().List()) {
    if (bytes == 0) continue;
    (absl::StrContains(path, "/wal/") ? segments : cold).push_back(path);
  }
  if (segments.size() > 2) cold.insert(cold.end(), segments.begin(), segments.end() - 2);
  if (cold.empty()) return;
  const std::string& path = cold[fault.choice % cold.size()];
  machine.NoteDamage();
  common_.trace.Say([&] { return absl::StrCat("a bit of ", path, " flips"); });
  took_effect_ = machine.disk().FlipBit(path, sim::Mix(fault.choice, 1)).ok();
  if (took_effect_) machine.NoteBitFlipped();
  After(fault.lasts, [this, &machine] { Kill(machine, sim::Loss::kSeeded, kDownMin); });
}

void Injector::Misdirect(const Fault& fault, Machine& machine) {
  took_effect_ = MayDamage(machine) && machine.up();
  if (!took_effect_) return;
  machine.NoteDamage();
  // A loss of power that is still to come would come before the write is vouched for.
  machine.disk().ClearFaults();
  const uint64_t before = machine.disk().counts().faults.misdirected;
  machine.disk().MisdirectAt(static_cast<int>(1 + fault.choice % 20));
  AwaitMisdirected(machine, before);
}

// The write may be long in coming, and the time until it is vouched for begins with it.
void Injector::AwaitMisdirected(Machine& machine, uint64_t before) {
  spared_until_[machine.id()] = now() + 2 * kVouchedAfter;
  After(kVouchedAfter, [this, &machine, before] {
    if (machine.disk().counts().faults.misdirected == before) {
      AwaitMisdirected(machine, before);
      return;
    }
    After(kVouchedAfter, [this, &machine] { Kill(machine, sim::Loss::kSeeded, kDownMin); });
  });
}

// ---- Clocks ----

void Injector::HappenToClock(const Fault& fault, Machine& machine) {
  if (fault.kind == FaultKind::kClockRate) {
    const double at = static_cast<double>(fault.choice % 2001) / 1000 - 1;
    machine.clock().SetRate(1 + at * options_.clock_rate_spread);
  } else if (fault.kind == FaultKind::kClockJump) {
    machine.clock().JumpWall(absl::Milliseconds(static_cast<int64_t>(fault.choice % 1'200'000)) -
                             absl::Minutes(10));
  }
}

// ---- The group ----

void Injector::HappenToGroup(const Fault& fault, Machine& machine) {
  const GroupId group =
      1 + static_cast<GroupId>(fault.choice % static_cast<uint64_t>(common_.groups));
  switch (fault.kind) {
    case FaultKind::kMembers:
      return ChangeMembers(fault);
    case FaultKind::kTransfer:
      took_effect_ = machine.up() && machine.node()->TransferLeader(group, fault.other).ok();
      return;
    case FaultKind::kCampaign:
      took_effect_ = machine.up() && machine.node()->Campaign(group).ok();
      return;
    case FaultKind::kSnapshot:
      took_effect_ = machine.up() && machine.node()->TakeSnapshot(group).ok();
      return;
    case FaultKind::kBurst:
      took_effect_ = machine.up();
      return clients_.Burst(fault.node, static_cast<int>(50 + fault.choice % 400));
    case FaultKind::kUproar:
      return BeginUproar(fault);
    case FaultKind::kLonelyLeader:
      CutOff(Leader(), fault.choice >> 8, absl::Milliseconds(150) + fault.lasts / 2);
      return clients_.Burst(Leader(), static_cast<int>(2 + fault.choice % 40));
    default:
      return;
  }
}

// Any voters and learners; mostly one or two are exchanged, so that majorities barely overlap.
void Injector::ChangeMembers(const Fault& fault) {
  const bool damaged = std::any_of(machines_.begin(), machines_.end(),
                                   [](const auto& each) { return each->damaged(); });
  Machine& leader = *machines_[Leader() - 1];
  took_effect_ = false;
  if (damaged || !leader.up()) return;
  raft::Membership target;
  sim::Stream choices(fault.choice);
  const auto status = leader.node()->GetStatus(1);
  const uint64_t keep = choices.Chance(70) ? 75 : 50;
  for (const auto& machine : machines_) {
    const raft::NodeId id = machine->id();
    const auto& voters = status.ok() ? status->raft.membership.voters : target.voters;
    const bool votes = std::count(voters.begin(), voters.end(), id) > 0;
    if (choices.Chance(votes ? keep : 100 - keep)) {
      target.voters.push_back(id);
    } else if (choices.Chance(40)) {
      target.learners.push_back(id);
    }
  }
  if (target.voters.empty()) return;
  members_changed_ = true;
  for (const auto& machine : machines_) {  // to all who believe to lead: at most one is right
    if (!machine->up()) continue;
    const absl::Status asked = machine->node()->ProposeMembership(1, target);
    if (!asked.ok()) continue;
    took_effect_ = true;
    common_.trace.Say([&] {
      return absl::StrCat("node ", machine->id(), " changes to ", target.voters.size(), " voters, ",
                          target.learners.size(), " learners");
    });
  }
}

// ---- The network ----

void Injector::HappenToNetwork(const Fault& fault) {
  const uint64_t id = next_weather_++;
  weather_.emplace(id, Weather{fault, false});
  SetLinks();
  if (fault.kind == FaultKind::kFlap) {
    Flap(id, absl::Milliseconds(20 + static_cast<int64_t>(fault.choice % 200)),
         now() + 4 * fault.lasts);
    return;
  }
  if (fault.kind == FaultKind::kLateAnswers) {
    After(fault.lasts / 3, [this, id] {
      weather_.at(id).second_half = true;
      SetLinks();
    });
  }
  After(fault.lasts, [this, id] {
    weather_.erase(id);
    SetLinks();
  });
}

void Injector::Flap(uint64_t id, absl::Duration every, absl::Duration until) {
  After(every, [this, id, every, until] {
    const bool over = now() >= until;
    if (over) {
      weather_.erase(id);
    } else {
      weather_.at(id).second_half = !weather_.at(id).second_half;
    }
    SetLinks();
    if (over) return;
    Flap(id, every, until);
  });
}

void Injector::SetLinks() {
  for (const auto& from : machines_) {
    for (const auto& to : machines_) {
      if (from == to) continue;
      sim::Link link = options_.weather;
      for (const auto& [id, weather] : weather_) {
        Apply(weather, from->id(), to->id(), link);
      }
      common_.network.At(from->id(), to->id()) = link;
    }
  }
}

void Injector::Apply(const Weather& weather, raft::NodeId from, raft::NodeId to, sim::Link& link) {
  const Fault& fault = weather.fault;
  const bool sends = from == fault.node;
  const bool hears = to == fault.node;
  const bool between = (sends && to == fault.other) || (hears && from == fault.other);
  const auto side = [&](raft::NodeId id) { return (fault.choice >> id) & 1; };
  switch (fault.kind) {
    case FaultKind::kSuspend:
    case FaultKind::kIsolate:
      link.cut |= sends || hears;
      return;
    case FaultKind::kDeafen:
      link.cut |= hears;
      return;
    case FaultKind::kMute:
      link.cut |= sends;
      return;
    case FaultKind::kSplit:
      link.cut |= side(from) != side(to);
      return;
    case FaultKind::kCutLink:
      link.cut |= between;
      return;
    case FaultKind::kFlap:
      link.cut |= between && !weather.second_half;
      return;
    case FaultKind::kLateAnswers:
      link.cut |= sends && weather.second_half;
      if (hears) link.delay_min = absl::Milliseconds(static_cast<int64_t>(50 + fault.choice % 130));
      if (hears) link.delay_max = link.delay_min + absl::Milliseconds(20);
      return;
    case FaultKind::kBadWeather:
      link.drop_percent += fault.choice % 30;
      link.duplicate_percent += fault.choice / 64 % 20;
      link.late_percent += fault.choice / 4096 % 20;
      link.late_max = absl::Milliseconds(300);
      link.ordered = false;
      return;
    case FaultKind::kSlowLink:
      if (between) link.bytes_per_second = 20'000 + fault.choice % 200'000;
      return;
    default:
      return;
  }
}

// ---- The end ----

void Injector::Calm() {
  calm_ = true;
  uproar_until_ = absl::ZeroDuration();
  weather_.clear();
  for (const auto& machine : machines_) {
    machine->ClearDiskFaults();
    machine->wal_pool().SetTakes(absl::Microseconds(50), absl::Microseconds(500));
    machine->pool().SetTakes(absl::Microseconds(50), absl::Microseconds(500));
    machine->loop().Resume();
    if (!machine->up()) machine->Start();
  }
  SetLinks();
}

}  // namespace slipway::eraft::simulation
