// E413: links that carry one way only, are missing between some, or come and go.
#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "eraft/chaos/scenarios.h"

namespace slipway::eraft::chaos {
namespace {

constexpr uint64_t kChangesForALoss = 2;
constexpr absl::Duration kFlap = absl::Milliseconds(200);

// One kind of trouble of a leader's links, for `hold`.
struct Trouble {
  const char* name;
  // Terms that may pass: 0 where the leader keeps its quorum.
  uint64_t terms_max;
  std::function<absl::Status(Run&, int leader, absl::Duration hold)> make;
};

absl::Status Hold(Run& run, absl::Duration hold) {
  SLIPWAY_RETURN_IF_ERROR(run.Wait(hold));
  run.cluster().proxy().HealAll();
  return absl::OkStatus();
}

// The leader is heard and does not hear, or the other way round.
absl::Status OneWay(Run& run, int leader, bool leader_speaks, absl::Duration hold) {
  for (int other = 0; other < run.cluster().size(); ++other) {
    if (other == leader) continue;
    run.cluster().proxy().Cut(leader_speaks ? other : leader, leader_speaks ? leader : other, true);
  }
  return Hold(run, hold);
}

void CutBoth(Run& run, int one, int other, bool cut) {
  run.cluster().proxy().Cut(one, other, cut);
  run.cluster().proxy().Cut(other, one, cut);
}

absl::Status MissingLink(Run& run, int leader, absl::Duration hold) {
  CutBoth(run, leader, AnyFollower(run, leader), true);
  return Hold(run, hold);
}

absl::Status AloneFollower(Run& run, int leader, absl::Duration hold) {
  const int alone = AnyFollower(run, leader);
  for (int other = 0; other < run.cluster().size(); ++other) {
    if (other != alone) CutBoth(run, alone, other, true);
  }
  return Hold(run, hold);
}

absl::Status Flapping(Run& run, int leader, absl::Duration hold) {
  const int other = AnyFollower(run, leader);
  const absl::Duration end = run.now() + hold;
  for (bool cut = true; run.now() < end; cut = !cut) {
    CutBoth(run, leader, other, cut);
    SLIPWAY_RETURN_IF_ERROR(run.Wait(kFlap));
  }
  run.cluster().proxy().HealAll();
  return absl::OkStatus();
}

const std::vector<Trouble>& Troubles() {
  static const std::vector<Trouble>& all = *new std::vector<Trouble>{
      {"leader does not hear", kChangesForALoss,
       [](Run& run, int leader, absl::Duration hold) { return OneWay(run, leader, true, hold); }},
      {"leader is not heard", kChangesForALoss,
       [](Run& run, int leader, absl::Duration hold) { return OneWay(run, leader, false, hold); }},
      {"no link between leader and a follower", 0, MissingLink},
      {"a follower alone", 0, AloneFollower},
      {"flapping link of leader and a follower", 0, Flapping},
  };
  return all;
}

absl::Status Links(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3), SmallLogs()));
  const absl::Duration hold =
      std::max(run.Duration(absl::Minutes(5)) / (2 * static_cast<int>(Troubles().size())),
               3 * kElectionTimeout);
  const absl::Duration end = run.now() + run.Duration(absl::Minutes(5));
  base::Json terms = base::Json::MakeObject();
  do {
    for (const Trouble& trouble : Troubles()) {
      SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
      const uint64_t before = run.cluster().Term();
      run.Count(trouble.name);
      SLIPWAY_RETURN_IF_ERROR(trouble.make(run, leader, std::min(hold, absl::Seconds(10))));
      SLIPWAY_RETURN_IF_ERROR(run.Wait(2 * kElectionTimeout));
      SLIPWAY_RETURN_IF_ERROR(run.cluster().AwaitLeader().status());
      const uint64_t passed = run.cluster().Term() - before;
      run.Say(absl::StrCat(trouble.name, ": ", passed, " terms"));
      const base::Json* const had = terms.Find(trouble.name);
      terms.Set(trouble.name, std::max(passed, had == nullptr ? 0 : had->AsUint().value_or(0)));
      run.Note("terms_max", terms);
      if (passed > trouble.terms_max) {
        return Run::Broken(absl::StrCat(trouble.name, ": ", passed, " terms passed, at most ",
                                        trouble.terms_max, " should"));
      }
    }
  } while (run.now() < end);
  return run.Finish(0.8);
}

}  // namespace

std::vector<Scenario> NetworkScenarios() {
  return {{"links", "E413", "one-way, missing and flapping links: few elections, terms stay low",
           Needs::kNothing, Links}};
}

}  // namespace slipway::eraft::chaos
