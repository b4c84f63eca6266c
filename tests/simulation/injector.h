// Lets the faults of a plan happen to a cluster, one by one, and end again (E201). It, not the
// checkers, sees to it that what must stay provable stays so: at most a minority of disks is ever
// damaged (E202), and no disk loses what it acknowledged without a trace. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/sim/network.h"
#include "clients.h"
#include "coverage.h"
#include "faults.h"
#include "machine.h"

namespace slipway::eraft::simulation {

class Injector {
 public:
  struct Options {
    base::sim::Link weather;  // of links to which nothing happens
    double clock_rate_spread = 0.1;
    bool hasty_changes = false;  // in an uproar, of the membership by new leaders
  };
  Injector(Common& common, std::vector<std::unique_ptr<Machine>>& machines, Clients& clients,
           Options options);

  // Lets fault number i of `plan` happen at its time, for each i of `numbers`.
  void Schedule(const std::vector<Fault>& plan, const std::vector<int>& numbers);
  // After each step of the loop: processes that ended are started again later.
  void Reap();
  // No more faults; what is broken is mended, what is down is started.
  void Calm();

  const std::vector<int>& happened() const { return happened_; }
  const Coverage& coverage() const { return coverage_; }
  // The node that leads the highest term of group 1, else 1.
  raft::NodeId Leader() const;

 private:
  struct Weather {
    Fault fault;
    // Of a flapping link: it is whole. Of a node of late answers: it is mute.
    bool second_half = false;
  };
  void Happen(int number, const Fault& fault);
  void HappenToProcess(const Fault& fault, Machine& machine);
  void HappenToDisk(const Fault& fault, Machine& machine);
  void HappenToClock(const Fault& fault, Machine& machine);
  void HappenToGroup(const Fault& fault, Machine& machine);
  void HappenToNetwork(const Fault& fault);
  void BeginUproar(const Fault& fault);
  void ContinueUproar();
  void Topple(raft::NodeId leader);
  void ChangeHastily(Machine& leader);
  void CutOff(raft::NodeId node, uint64_t mask, absl::Duration lasts);
  void LosePowerInBurst(const Fault& fault, Machine& machine);
  void Kill(Machine& machine, base::sim::Loss loss, absl::Duration down);
  void StartLater(Machine& machine, absl::Duration after);
  bool MayDamage(Machine& machine);
  void FlipBit(const Fault& fault, Machine& machine);
  void Misdirect(const Fault& fault, Machine& machine);
  void AwaitMisdirected(Machine& machine, uint64_t before);
  void FillDisk(const Fault& fault, Machine& machine);
  void ChangeMembers(const Fault& fault);
  void Flap(uint64_t id, absl::Duration every, absl::Duration until);
  void SetLinks();
  static void Apply(const Weather& weather, raft::NodeId from, raft::NodeId to,
                    base::sim::Link& link);
  // Once, unless calm comes first.
  void After(absl::Duration delay, std::function<void()> then);
  absl::Duration now() const { return common_.clock.Monotonic(); }

  Common& common_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  Clients& clients_;
  const Options options_;
  bool calm_ = false;
  std::vector<int> happened_;
  Coverage coverage_;
  bool took_effect_ = true;              // the fault that happens
  std::map<uint64_t, Weather> weather_;  // network faults that go on
  uint64_t next_weather_ = 1;
  std::map<raft::NodeId, absl::Duration> spared_until_;  // not to be killed before
  // Machines that lose their power that many disk operations after they start next.
  std::map<raft::NodeId, int> again_;
  bool members_changed_ = false;
  absl::Duration uproar_until_;
  raft::Term uproar_term_ = 0;  // of the newest leader that it saw
  base::sim::Stream uproar_{0};
};

}  // namespace slipway::eraft::simulation
