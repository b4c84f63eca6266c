// eraft_sim: runs a cluster of eraft nodes through faults, each run from one seed (E200).
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/status.h"
#include "shrink.h"
#include "simulation.h"

namespace slipway::eraft::simulation {
namespace {

constexpr char kHelp[] =
    R"(Runs clusters of eraft nodes, the production code, in a simulated world full of faults, and checks
at every step that they keep what eraft promises. Everything in a run follows from its seed.

  eraft_sim --seed 7 --steps 50000 --profile mixed --trace
  eraft_sim --seeds 200 --profile all --shadow 1 --counts

Which runs:
  --seed S          the seed of the first (default 1)
  --seeds N         so many, of seeds S, S+1, ... (default 1)
  --steps N         events under faults of each run (default 50000); a calm end comes on top, in
                    which clients must finish and replicas become equal
  --profile P       which faults: calm, network, crash, disk, clock, membership, corruption,
                    leaders, mixed, or all: each seed another one (default mixed)
  --clients N       so many, 1 to 999, instead of what the seed says
  --faults LIST     only these of the seed's faults, by number: 3,17,20; or none
  --mutant NAME     with a planted bug of tests/mutants.tsv (builds of the preset mutants only)
What to do with them:
  --trace           print all that happens
  --counts          print, for each profile, which faults took effect and what happened then
  --shadow PERCENT  of the seeds are run twice; the traces must be equal (default 0)
  --keep-going      do not end with the first failing seed
  --no-shrink       leave a failing run as it is; else a smaller one that fails too is looked for
  --drawing FILE    where the drawing of a history goes that is not linearizable (default
                    eraft_sim-SEED.html; - : nowhere)

A failure names the command that repeats it. `trace` is the hash of all that happened in a run.
Exit code: 0 all promises were kept, 1 one was broken or two runs of a seed differed, 2 wrong usage.
)";

struct Arguments {
  SimulationOptions run;
  uint64_t seeds = 1;
  uint64_t shadow_percent = 0;
  bool all_profiles = false, trace = false, shrink = true, keep_going = false, help = false;
  bool counts = false;
  std::string mutant, drawing;
};

absl::Status Wrong(absl::string_view flag, absl::string_view value, absl::string_view wants) {
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", value, ": it wants ", wants));
}

absl::Status SetFaults(const std::string& value, Arguments& arguments) {
  arguments.run.faults.emplace();
  if (value == "none") return absl::OkStatus();
  for (const absl::string_view part : absl::StrSplit(value, ',')) {
    int number = 0;
    if (!absl::SimpleAtoi(part, &number) || number < 0) {
      return Wrong("--faults", value, "numbers with commas between them, or none");
    }
    arguments.run.faults->push_back(number);
  }
  return absl::OkStatus();
}

absl::Status SetProfile(const std::string& value, Arguments& arguments) {
  arguments.all_profiles = value == "all";
  if (arguments.all_profiles) return absl::OkStatus();
  SLIPWAY_ASSIGN_OR_RETURN(arguments.run.profile, ParseProfile(value));
  return absl::OkStatus();
}

// Flags that stand alone.
bool* SwitchOf(absl::string_view flag, Arguments& arguments) {
  if (flag == "--help" || flag == "-h") return &arguments.help;
  if (flag == "--trace") return &arguments.trace;
  if (flag == "--counts") return &arguments.counts;
  if (flag == "--keep-going") return &arguments.keep_going;
  return nullptr;
}

struct NumberFlag {
  absl::string_view name;
  uint64_t min, max;
  std::function<void(uint64_t)> set;
};

std::vector<NumberFlag> NumberFlags(Arguments& arguments) {
  SimulationOptions& run = arguments.run;
  constexpr uint64_t kMax = 1'000'000'000'000'000'000;
  return {
      {"--seed", 0, kMax, [&](uint64_t value) { run.seed = value; }},
      {"--seeds", 1, kMax, [&](uint64_t value) { arguments.seeds = value; }},
      {"--steps", 1, 1'000'000'000, [&](uint64_t value) { run.steps = value; }},
      {"--shadow", 0, 100, [&](uint64_t value) { arguments.shadow_percent = value; }},
      {"--clients", 1, 999, [&](uint64_t value) { run.clients = static_cast<int>(value); }},
  };
}

absl::Status SetValue(absl::string_view flag, const std::string& value, Arguments& arguments) {
  if (flag == "--profile") return SetProfile(value, arguments);
  if (flag == "--faults") return SetFaults(value, arguments);
  if (flag == "--mutant" || flag == "--drawing") {
    (flag == "--mutant" ? arguments.mutant : arguments.drawing) = value;
    return absl::OkStatus();
  }
  for (const NumberFlag& known : NumberFlags(arguments)) {
    if (known.name != flag) continue;
    uint64_t number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < known.min || number > known.max) {
      return Wrong(flag, value, absl::StrCat("a number from ", known.min, " to ", known.max));
    }
    known.set(number);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(flag, ": no such flag; see --help"));
}

absl::Status CheckKnown(absl::string_view flag, Arguments& arguments) {
  std::vector<absl::string_view> known = {"--profile", "--faults", "--mutant", "--drawing"};
  for (const NumberFlag& number : NumberFlags(arguments)) known.push_back(number.name);
  if (std::find(known.begin(), known.end(), flag) != known.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, ": no such flag; see --help"));
}

// Both `--flag value` and `--flag=value`; of a flag that comes twice the last one counts.
absl::StatusOr<Arguments> Parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    if (bool* const alone = SwitchOf(words[i], arguments); alone != nullptr) {
      *alone = true;
      continue;
    }
    if (words[i] == "--no-shrink") {
      arguments.shrink = false;
      continue;
    }
    const size_t equals = words[i].find('=');
    const std::string flag = words[i].substr(0, equals);
    if (SwitchOf(flag, arguments) != nullptr || flag == "--no-shrink") {
      return absl::InvalidArgumentError(absl::StrCat(words[i], ": it stands alone"));
    }
    SLIPWAY_RETURN_IF_ERROR(CheckKnown(flag, arguments));
    if (equals != std::string::npos) {
      SLIPWAY_RETURN_IF_ERROR(SetValue(flag, words[i].substr(equals + 1), arguments));
    } else if (++i < words.size()) {
      SLIPWAY_RETURN_IF_ERROR(SetValue(flag, words[i], arguments));
    } else {
      return absl::InvalidArgumentError(absl::StrCat(flag, ": its value is missing"));
    }
  }
  return arguments;
}

struct Totals {
  uint64_t runs = 0, failed = 0, shadows = 0, events = 0, operations = 0, unknown = 0;
  uint64_t unknown_verdicts = 0, frames = 0;
  std::vector<uint64_t> runs_of = std::vector<uint64_t>(kProfiles);
  std::vector<Coverage> coverage = std::vector<Coverage>(kProfiles);

  uint64_t Sum(Mark mark) const {
    uint64_t sum = 0;
    for (const Coverage& each : coverage) sum += each[mark];
    return sum;
  }
  uint64_t Faults() const {
    uint64_t sum = 0;
    for (const Coverage& each : coverage) {
      for (const uint64_t count : each.faults) sum += count;
    }
    return sum;
  }
};

class Program {
 public:
  explicit Program(Arguments arguments) : arguments_(std::move(arguments)) {}

  int Run() {
    const auto begin = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < arguments_.seeds; ++i) {
      SimulationOptions options = arguments_.run;
      options.seed += i;
      if (arguments_.all_profiles) options.profile = static_cast<Profile>(options.seed % kProfiles);
      if (arguments_.trace)
        options.print = [](const std::string& line) { std::cout << line << "\n"; };
      if (!RunSeed(options) && !arguments_.keep_going) break;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const double seconds = took.count();
    const auto of = [](uint64_t count) { return static_cast<double>(count); };
    if (arguments_.counts) std::cout << CoverageTable(totals_.runs_of, totals_.coverage);
    const double cpu = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    std::cout << absl::StrFormat(
        "eraft_sim: %d seeds, %d failed, %d shadow runs; %d events, %d operations (%d unknown), %d "
        "frames, %d faults, %d restarts, %d snapshots installed, %d disks fenced, %d histories "
        "undecided; %.1f s, %.1f s of processor time: %.1f seeds/s, %.0f events/s, %.0f events "
        "per processor second\n",
        totals_.runs, totals_.failed, totals_.shadows, totals_.events, totals_.operations,
        totals_.unknown, totals_.frames, totals_.Faults(), totals_.Sum(Mark::kRestarts),
        totals_.Sum(Mark::kSnapshotsInstalled), totals_.Sum(Mark::kFenced),
        totals_.unknown_verdicts, seconds, cpu, of(totals_.runs) / seconds,
        of(totals_.events) / seconds, of(totals_.events) / cpu);
    return totals_.failed == 0 ? 0 : 1;
  }

 private:
  void Count(const SimulationOptions& options, const SimulationReport& report) {
    const auto profile = static_cast<size_t>(options.profile);
    ++totals_.runs_of[profile];
    totals_.coverage[profile].Add(report.coverage);
    totals_.events += report.events;
    totals_.operations += report.operations;
    totals_.unknown += report.unknown_operations;
    totals_.unknown_verdicts += report.unknown_verdicts;
    totals_.frames += report.frames;
  }

  // False: it failed.
  bool RunSeed(const SimulationOptions& options) {
    ++totals_.runs;
    const SimulationReport report = Simulate(options);
    Count(options, report);
    if (arguments_.seeds == 1) {
      std::cout << absl::StrFormat("trace %016x\n", report.trace_hash);
    }
    if (!report.violation.empty()) {
      Fail(options, report);
      return false;
    }
    if ((options.seed * 2654435761) % 100 >= arguments_.shadow_percent) return true;
    ++totals_.shadows;
    const SimulationReport shadow = Simulate(options);
    Count(options, shadow);
    if (shadow.trace_hash == report.trace_hash && shadow.events == report.events) return true;
    ++totals_.failed;
    std::cout << "FAILED: two runs of one seed differ\n  replay: eraft_sim "
              << ReplayArguments(options) << Suffix() << " --shadow 100" << std::endl;
    return false;
  }

  void Fail(const SimulationOptions& options, const SimulationReport& report) {
    ++totals_.failed;
    std::cout << "FAILED after " << report.violation_at << " events: " << report.violation
              << "\n  replay: eraft_sim " << ReplayArguments(options) << Suffix() << std::endl;
    Draw(options, report);
    if (!arguments_.shrink) return;
    const Shrunk shrunk = Shrink(options, report, /*runs_max=*/60);
    std::cout << "  shrunk in " << shrunk.runs << " runs to " << shrunk.report.faults.size()
              << " faults, " << shrunk.report.clients << " clients, " << shrunk.report.violation_at
              << " events: " << shrunk.report.violation << "\n  replay: eraft_sim "
              << ReplayArguments(shrunk.options) << Suffix() << "\n";
    for (const std::string& line : shrunk.report.fault_lines) std::cout << "    " << line << "\n";
  }

  void Draw(const SimulationOptions& options, const SimulationReport& report) {
    if (report.drawing.empty() || arguments_.drawing == "-") return;
    const std::string name = arguments_.drawing.empty()
                                 ? absl::StrCat("eraft_sim-", options.seed, ".html")
                                 : arguments_.drawing;
    std::ofstream(name) << report.drawing;
    std::cout << "  drawing: " << name << "\n";
  }

  std::string Suffix() const {
    return arguments_.mutant.empty() ? "" : absl::StrCat(" --mutant ", arguments_.mutant);
  }

  const Arguments arguments_;
  Totals totals_;
};

int Main(const std::vector<std::string>& words) {
  const absl::StatusOr<Arguments> arguments = Parse(words);
  if (!arguments.ok()) {
    std::cerr << "error: " << arguments.status().message() << "\n";
    return 2;
  }
  if (arguments->help) {
    std::cout << kHelp;
    return 0;
  }
  if (!arguments->mutant.empty()) {
#ifdef SLIPWAY_MUTANTS
    setenv("SLIPWAY_MUTANT", arguments->mutant.c_str(), 1);  // before the first look at it
#else
    std::cerr << "error: --mutant: this build has no planted bugs; use the preset mutants\n";
    return 2;
#endif
  }
  return Program(*arguments).Run();
}

}  // namespace
}  // namespace slipway::eraft::simulation

int main(int argc, char** argv) {
  return slipway::eraft::simulation::Main(std::vector<std::string>(argv + 1, argv + argc));
}
