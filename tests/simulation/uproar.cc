// Faults that look at who leads: leaders that fall as soon as they come, before or after this and
// that reached this one and that one, with entries that nobody else has. What Raft's hardest rules
// are for (figure 8 of the paper; changes of membership by leaders that come and go) happens by
// chance alone too rarely.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "injector.h"

namespace slipway::eraft::simulation {

namespace sim = base::sim;

// `node` and some that `mask` chooses, no majority, hear each other and nobody else.
void Injector::CutOff(raft::NodeId node, uint64_t mask, absl::Duration lasts) {
  uint64_t side = uint64_t{1} << node;
  size_t size = 1;
  for (const auto& machine : machines_) {
    const bool more = size + 1 <= machines_.size() / 2;
    if (machine->id() == node || !more || ((mask >> machine->id()) & 3) != 0) continue;
    side |= uint64_t{1} << machine->id();
    ++size;
  }
  Fault fault;
  fault.kind = FaultKind::kSplit;
  fault.node = node;
  fault.choice = side;
  fault.lasts = lasts;
  HappenToNetwork(fault);
}

void Injector::BeginUproar(const Fault& fault) {
  uproar_until_ = now() + std::max(absl::Seconds(1), fault.lasts);
  uproar_ = sim::Stream(fault.choice);
  const Checker::Leader leader = common_.checkers.front().newest_leader();
  uproar_term_ = leader.term;
  if (leader.term > 0) Topple(leader.id);
}

// After each event. A leader shows itself with its first message, so what it does before anybody
// can have answered is still ahead.
void Injector::ContinueUproar() {
  const Checker::Leader leader = common_.checkers.front().newest_leader();
  if (leader.term <= uproar_term_) return;
  uproar_term_ = leader.term;
  Machine& machine = *machines_[leader.id - 1];
  common_.trace.Say([&] { return absl::StrCat("UPROAR node ", leader.id, " leads"); });
  if (options_.hasty_changes && uproar_.Chance(70)) ChangeHastily(machine);
  if (uproar_.Chance(60)) clients_.Burst(leader.id, static_cast<int>(1 + uproar_.Below(6)));
  // Now, before anything arrives; while its first entries are under way; or when they are there.
  const auto soon = absl::Microseconds(static_cast<int64_t>(
      uproar_.Below(3) == 0 ? 0 : uproar_.Below(uint64_t{500} << uproar_.Below(8))));
  if (soon == absl::ZeroDuration()) return Topple(leader.id);
  After(soon, [this, id = leader.id] { Topple(id); });
}

void Injector::Topple(raft::NodeId leader) {
  const auto lasts = absl::Milliseconds(static_cast<int64_t>(100 + uproar_.Below(500)));
  const uint64_t mask = uproar_.Next();
  const uint64_t dice = uproar_.Below(100);
  if (dice < 75) return CutOff(leader, mask, lasts);
  Machine& machine = *machines_[leader - 1];
  if (dice < 85) return Kill(machine, sim::Loss::kSeeded, lasts / 4);
  // One peer of its hears it no more.
  Fault fault;
  fault.kind = FaultKind::kCutLink;
  fault.node = leader;
  fault.other = 1 + mask % machines_.size();
  fault.lasts = lasts;
  HappenToNetwork(fault);
}

// Of one voter, before the leader can know that anybody has its first entry: refused unless
// something is broken; and again a little later.
void Injector::ChangeHastily(Machine& leader) {
  if (std::any_of(machines_.begin(), machines_.end(),
                  [](const auto& each) { return each->damaged(); })) {
    return;
  }
  members_changed_ = true;
  const uint64_t choice = uproar_.Next();
  const auto change = [this, choice, &leader] {
    if (!leader.up()) return;
    const auto status = leader.node()->GetStatus(1);
    if (!status.ok() || status->raft.membership.joint()) return;
    raft::Membership target = status->raft.membership;
    const raft::NodeId who = 1 + choice % machines_.size();
    const auto place = std::lower_bound(target.voters.begin(), target.voters.end(), who);
    const bool votes = place != target.voters.end() && *place == who;
    if (votes && target.voters.size() < 3) return;
    if (votes) {
      target.voters.erase(place);
    } else {
      target.voters.insert(place, who);
      target.learners.erase(std::remove(target.learners.begin(), target.learners.end(), who),
                            target.learners.end());
    }
    const absl::Status asked = leader.node()->ProposeMembership(1, target);
    common_.trace.Say([&] {
      return absl::StrCat("node ", leader.id(), votes ? " removes " : " adds ", who, ": ",
                          asked.ToString());
    });
  };
  change();
  After(absl::Milliseconds(static_cast<int64_t>(5 + choice / 8 % 40)), change);
}

}  // namespace slipway::eraft::simulation
