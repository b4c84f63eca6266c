#include "simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "clients.h"
#include "eraft/check/drawing.h"
#include "injector.h"
#include "machine.h"

namespace slipway::eraft::simulation {
namespace {

namespace sim = base::sim;
using check::RegisterModel;

constexpr uint64_t kLookEvery = 128;                     // events between looks at queues
constexpr absl::Duration kCalmMax = absl::Seconds(120);  // virtual; then it does not come right
constexpr absl::Duration kCalmLookEvery = absl::Milliseconds(50);
constexpr uint64_t kCheckStepsMax = 2'000'000;
constexpr size_t kControlFramesMax = 5'000;

class Run {
 public:
  explicit Run(const SimulationOptions& options);
  SimulationReport Go();

 private:
  void Setup();
  void Storm();
  void Calm();
  void CalmUntilEqual();
  bool Step();
  void Look();
  void LookAtState(GroupId group, Machine& machine, raft::Index applied);
  bool Equal(std::string* why);
  bool EqualGroup(GroupId group, std::string* why);
  std::string StateOf(GroupId group, Machine& machine) const;
  void CheckContents(GroupId group, const std::vector<Machine*>& members);
  std::string Standing() const;
  void CheckHistory();
  std::vector<Machine*> Members(GroupId group) const;
  bool Violated() const;
  void CountCoverage();
  SimulationReport Report();

  const SimulationOptions options_;
  sim::Stream choices_;
  sim::Clock clock_;
  sim::Loop loop_;
  sim::Network network_;
  Trace trace_;
  std::vector<Checker> checkers_;
  Common common_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::unique_ptr<Clients> clients_;
  std::unique_ptr<Injector> injector_;
  std::vector<Fault> plan_;
  int client_count_ = 0, keys_ = 0;
  SimulationReport report_;
};

Run::Run(const SimulationOptions& options)
    : options_(options),
      choices_(sim::Mix(options.seed, static_cast<uint64_t>(options.profile))),
      loop_(sim::Mix(options.seed, 1), clock_),
      network_(sim::Mix(options.seed, 2), loop_, clock_),
      trace_(clock_, options.print),
      common_{clock_, loop_,     network_,
              trace_, checkers_, sim::Mix(options.seed, static_cast<uint64_t>(options.profile))} {}

void Run::Setup() {
  const bool membership = options_.profile == Profile::kMembership;
  const uint64_t nodes = membership || choices_.Chance(30) ? 5 : 3;
  const uint64_t members = membership ? 3 : nodes;
  common_.groups = !membership && choices_.Chance(20) ? 2 : 1;
  for (int group = 0; group < common_.groups; ++group) checkers_.emplace_back(trace_);
  for (uint64_t id = 1; id <= members; ++id) common_.members.voters.push_back(id);
  for (uint64_t id = 1; id <= nodes; ++id) {
    machines_.push_back(std::make_unique<Machine>(common_, id));
  }
  ClientOptions clients;
  client_count_ = static_cast<int>(1 + choices_.Below(8));
  if (options_.clients > 0) client_count_ = options_.clients;
  clients.count = client_count_;
  clients.leases = choices_.Chance(50);
  clients.strict = choices_.Chance(40);
  clients.keys = keys_ = static_cast<int>(1 + choices_.Below(5));
  sim::Stream more(sim::Mix(common_.seed, 78));  // apart, so that old seeds stay what they are
  clients.short_sessions = more.Chance(12) && !IsFrozen(options_.profile);
  clients.pad_bytes_max = choices_.Chance(30) ? 3'000 : choices_.Chance(50) ? 300 : 0;
  clients_ = std::make_unique<Clients>(common_, machines_, clients);
  common_.small_messages = options_.profile == Profile::kLeaders;
  common_.small_segments = options_.profile == Profile::kPower;
  common_.small_entries = clients.pad_bytes_max <= 300;
  Injector::Options injector;
  injector.weather.delay_max = absl::Microseconds(300 << choices_.Below(5));
  injector.weather.drop_percent = choices_.Below(3);
  // The lease is right while two clocks differ by 5 % at most (E141).
  injector.hasty_changes = membership || (options_.profile == Profile::kMixed && more.Chance(50));
  injector.clock_rate_spread = clients.leases ? 0.024 : 0.1;
  injector_ = std::make_unique<Injector>(common_, machines_, *clients_, injector);
  plan_ = PlanFaults({.seed = common_.seed,
                      .profile = options_.profile,
                      .nodes = static_cast<int>(nodes),
                      .until = absl::Milliseconds(static_cast<int64_t>(options_.steps)),
                      .clock_rate_spread = injector.clock_rate_spread});
  std::vector<int> numbers(plan_.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  injector_->Schedule(plan_, options_.faults.value_or(numbers));
}

bool Run::Violated() const {
  return std::any_of(checkers_.begin(), checkers_.end(),
                     [](const Checker& checker) { return !checker.violation().empty(); });
}

// One event. False: a promise is broken.
bool Run::Step() {
  SLIPWAY_CHECK(loop_.Step());
  ++report_.events;
  injector_->Reap();
  if (report_.events % kLookEvery == 0) Look();
  return !Violated();
}

// Digest equality (E203): compared with whoever was seen with as much applied.
void Run::LookAtState(GroupId group, Machine& machine, raft::Index applied) {
  const std::string state = StateOf(group, machine);
  if (state.empty()) return;  // it is being replaced
  uint64_t hash = 1;
  for (const char c : state) hash = sim::Mix(hash, static_cast<uint8_t>(c));
  checkers_[group - 1].OnState(machine.id(), applied, hash);
}

// Bounds of memory and queues (E203).
void Run::Look() {
  for (const auto& machine : machines_) {
    if (!machine->up()) continue;
    for (GroupId group = 1; group <= static_cast<GroupId>(common_.groups); ++group) {
      const auto status = machine->node()->GetStatus(group);
      if (!status.ok()) continue;
      Checker& checker = checkers_[group - 1];
      LookAtState(group, *machine, status->kv.applied);
      const auto exceed = [&](absl::string_view what, uint64_t value, uint64_t limit) {
        if (value <= limit) return;
        checker.Violate(
            absl::StrCat("node ", machine->id(), ": ", what, " ", value, " exceeds ", limit));
      };
      exceed("proposals", status->proposals, 200);
      exceed("uncommitted bytes", status->raft.uncommitted_bytes, (256 << 10) + (16 << 10));
      exceed("snapshots sent at once", static_cast<uint64_t>(status->snapshots_sending), 2);
      exceed("applied index", status->kv.applied, status->raft.commit);
    }
  }
  if (network_.counts().control_frames_most > kControlFramesMax) {
    checkers_[0].Violate("more control frames are under way than a network holds");
  }
}

void Run::Storm() {
  for (const auto& machine : machines_) machine->Start();
  clients_->Start();
  while (report_.events < options_.steps) {
    if (!Step()) return;
  }
}

std::vector<Machine*> Run::Members(GroupId group) const {
  raft::Term term = 0;
  raft::Membership membership;
  for (const auto& machine : machines_) {
    if (!machine->up()) continue;
    const auto status = machine->node()->GetStatus(group);
    if (!status.ok() || status->raft.role != raft::Role::kLeader || status->raft.term < term) {
      continue;
    }
    term = status->raft.term;
    membership = status->raft.membership;
  }
  std::vector<Machine*> members;
  if (membership.joint()) return members;
  for (const auto& machine : machines_) {
    for (const auto* list : {&membership.voters, &membership.learners}) {
      const bool in = std::count(list->begin(), list->end(), machine->id()) > 0;
      if (in && !machine->fenced()) members.push_back(machine.get());
    }
  }
  return members;
}

std::string Run::StateOf(GroupId group, Machine& machine) const {
  const auto status = machine.node()->GetStatus(group);
  const std::shared_ptr<KvMachine> kv = machine.node()->machine(group);
  if (!status.ok() || kv == nullptr) return "";
  std::string text = absl::StrCat(status->kv.applied, " ", status->kv.applied_term, " ",
                                  status->kv.time_ms, " ", status->kv.sessions, ";");
  for (const ShardId shard : kv->Shards()) {
    const ShardStats stats = kv->GetShard(shard);
    absl::StrAppend(&text, " ", shard, ":", stats.keys, ",", stats.bytes, ",", stats.sessions, ",",
                    absl::Hex(stats.digest.high), absl::Hex(stats.digest.low));
  }
  return text;
}

// Whether all that belong to the group have the same state.
bool Run::EqualGroup(GroupId group, std::string* why) {
  const std::vector<Machine*> members = Members(group);
  if (members.empty()) {
    *why = absl::StrCat("group ", group, " has no leader");
    return false;
  }
  std::string first;
  for (Machine* machine : members) {
    std::string state = machine->up() ? StateOf(group, *machine) : "";
    if (state.empty()) {
      *why = absl::StrCat("node ", machine->id(), " has no state");
      return false;
    }
    const raft::Status raft = machine->node()->GetStatus(group)->raft;
    absl::StrAppend(&state, " log ", raft.last, " ", raft.commit);
    if (first.empty()) first = state;
    if (state != first) {
      *why = absl::StrCat("group ", group, ": node ", members.front()->id(), " has ", first,
                          "\nnode ", machine->id(), " has ", state);
      return false;
    }
  }
  CheckContents(group, members);
  return true;
}

// What the digests promise to be equal is read.
void Run::CheckContents(GroupId group, const std::vector<Machine*>& members) {
  for (int key = 0; key <= keys_; ++key) {
    const int number = key == keys_ ? 99 : key;
    const std::string name = absl::StrCat(group, "/k", number);
    std::optional<std::string> first;
    for (Machine* machine : members) {
      const auto value = machine->node()->machine(group)->Get(
          Clients::ShardOf(static_cast<uint64_t>(number)), name);
      if (!value.ok()) {
        checkers_[group - 1].Violate(absl::StrCat("node ", machine->id(), " cannot read ", name,
                                                  ": ", value.status().ToString()));
        return;
      }
      if (machine == members.front()) first = *value;
      if (*value != first) {
        checkers_[group - 1].Violate(absl::StrCat("nodes ", members.front()->id(), " and ",
                                                  machine->id(), " differ in ", name));
        return;
      }
    }
  }
}

bool Run::Equal(std::string* why) {
  for (GroupId group = 1; group <= static_cast<GroupId>(common_.groups); ++group) {
    if (!EqualGroup(group, why)) return false;
  }
  return true;
}

// E201: at the end faults stop, and everything must come right.
void Run::Calm() {
  trace_.Say([] { return std::string("CALM"); });
  clients_->Finish();
  injector_->Calm();
  CalmUntilEqual();
}

void Run::CalmUntilEqual() {
  const absl::Duration end = clock_.Monotonic() + kCalmMax;
  absl::Duration look = clock_.Monotonic();
  std::string why = "clients wait";
  while (clock_.Monotonic() < end) {
    if (!Step()) return;
    if (clock_.Monotonic() < look) continue;
    look = clock_.Monotonic() + kCalmLookEvery;
    if (clients_->done() && Equal(&why)) return;
  }
  checkers_[0].Violate(absl::StrCat("no faults for ", absl::FormatDuration(kCalmMax), ", but ", why,
                                    "\n", clients_->Waiting(), Standing()));
}

// Where each node stands, for whoever looks for what keeps it there.
std::string Run::Standing() const {
  std::string text;
  for (const auto& machine : machines_) {
    for (GroupId group = 1; machine->up() && group <= static_cast<GroupId>(common_.groups);
         ++group) {
      const absl::StatusOr<GroupStatus> status = machine->node()->GetStatus(group);
      if (!status.ok()) continue;
      absl::StrAppend(&text, "node ", machine->id(), " group ", group, ": role ",
                      static_cast<int>(status->raft.role), ", term ", status->raft.term, ", log ",
                      status->log_start.index, " to ", status->raft.last, ", in memory from ",
                      status->raft.first_in_memory, ", snapshot ", status->snapshot, ", sending ",
                      status->snapshots_sending, status->installing ? ", installing" : "", "\n");
      for (const raft::PeerProgress& peer : status->raft.peers) {
        absl::StrAppend(&text, "  peer ", peer.id, ": state ", static_cast<int>(peer.state),
                        ", match ", peer.match, ", next ", peer.next, peer.active ? "" : ", silent",
                        "\n");
      }
    }
    absl::StrAppend(&text, "node ", machine->id(), " files:");
    for (const auto& [path, bytes] : machine->disk().List()) {
      absl::StrAppend(&text, " ", path, " (", bytes, ")");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

// E204.
void Run::CheckHistory() {
  const History& history = clients_->history();
  if (history.empty()) return;
  auto parts = check::SplitByKey(history, [](const RegisterModel::Input& in) { return in.key; });
  for (auto& [key, operations] : parts) {
    const auto settled = check::SettleUnknownWrites(operations);
    const check::Result result = check::CheckLinearizable<RegisterModel>(settled, kCheckStepsMax);
    if (result.verdict == check::Verdict::kUnknown) ++report_.unknown_verdicts;
    if (result.verdict != check::Verdict::kIllegal) continue;
    report_.drawing =
        check::DrawHistory(absl::StrCat("seed ", options_.seed, ", key ", key), settled, result);
    checkers_[0].Violate(absl::StrCat("the history of key ", key, " is not linearizable"));
    return;
  }
}

void Run::CountCoverage() {
  Coverage& coverage = report_.coverage;
  coverage = injector_->coverage();
  for (const Checker& checker : checkers_) coverage.Add(checker.coverage());
  for (const auto& machine : machines_) coverage.Add(machine->GetCoverage());
  const sim::Network::Counts& frames = network_.counts();
  coverage[Mark::kFramesLost] = frames.dropped;
  coverage[Mark::kFramesCut] = frames.cut;
  coverage[Mark::kFramesTwice] = frames.duplicated;
  coverage[Mark::kFramesOvertaken] = frames.overtaken;
  coverage[Mark::kRetries] = clients_->retries();
  coverage[Mark::kUnknownOutcomes] = clients_->unknown();
  coverage[Mark::kLeaseReads] = clients_->lease_reads();
  coverage[Mark::kOverloads] = clients_->overloads();
}

SimulationReport Run::Report() {
  for (const Checker& checker : checkers_) {
    if (report_.violation.empty()) report_.violation = checker.violation();
    report_.applied += checker.applied_max();
    report_.terms = std::max(report_.terms, checker.term_max());
  }
  report_.violation_at = report_.events;
  report_.trace_hash = trace_.hash();
  report_.clients = client_count_;
  CountCoverage();
  report_.faults = injector_->happened();
  for (const int number : report_.faults) {
    report_.fault_lines.push_back(
        absl::StrCat(number, ": ", Describe(plan_[static_cast<size_t>(number)])));
  }
  report_.operations = clients_->completed();
  report_.unknown_operations = clients_->unknown();
  report_.frames = network_.counts().delivered;
  report_.nodes = machines_.size();
  for (const auto& machine : machines_) {
    report_.damaged += machine->damaged() ? 1 : 0;
  }
  return report_;
}

SimulationReport Run::Go() {
  Setup();
  Storm();
  if (!Violated()) Calm();
  if (!Violated()) CheckHistory();
  return Report();
}

}  // namespace

SimulationReport Simulate(const SimulationOptions& options) { return Run(options).Go(); }

}  // namespace slipway::eraft::simulation
