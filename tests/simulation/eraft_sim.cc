// eraft_sim: runs a cluster of eraft nodes through faults, each run from one seed (E200).
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
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
    R"(Runs clusters of eraft nodes, the production code, in a simulated world full of faults.

  eraft_sim --seed 7 --steps 50000 --profile mixed --trace
  eraft_sim --seeds 200 --profile all --shadow 1

  --seed S          of the first run (default 1)
  --seeds N         so many runs, of seeds S, S+1, ... (default 1)
  --steps N         events under faults of each run (default 50000)
  --profile P       calm, network, crash, disk, clock, membership, corruption, mixed, or all: each
                    seed another one (default mixed)
  --shadow PERCENT  of the seeds run twice; the traces must be equal
  --trace           print all that happens
  --mutant NAME     with a planted bug (in builds with mutants)
  --clients N       so many instead of what the seed says
  --faults LIST     only these of the plan's faults: numbers with commas, or none
  --drawing FILE    where the drawing of a history goes that is not linearizable (default
                    eraft_sim-<seed>.html; - : nowhere)
  --no-shrink       leave a failing run as it is
  --keep-going      do not end with the first failing seed

Ends with 0 when all promises were kept, 1 when one was broken, 2 when used wrongly. A failure names
the command that repeats it.
)";

struct Arguments {
  SimulationOptions run;
  uint64_t seeds = 1;
  uint64_t shadow_percent = 0;
  bool all_profiles = false, trace = false, shrink = true, keep_going = false, help = false;
  std::string mutant, drawing;
};

absl::Status Wrong(absl::string_view flag, absl::string_view value) {
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", value, ": not understood; see --help"));
}

absl::Status SetFaults(absl::string_view value, SimulationOptions& run) {
  run.faults.emplace();
  if (value == "none") return absl::OkStatus();
  for (const absl::string_view part : absl::StrSplit(value, ',')) {
    int number = 0;
    if (!absl::SimpleAtoi(part, &number) || number < 0) return Wrong("--faults", value);
    run.faults->push_back(number);
  }
  return absl::OkStatus();
}

absl::Status SetValue(absl::string_view flag, const std::string& value, Arguments& arguments) {
  uint64_t number = 0;
  const bool is_number = absl::SimpleAtoi(value, &number);
  if (flag == "--mutant") {
    arguments.mutant = value;
  } else if (flag == "--drawing") {
    arguments.drawing = value;
  } else if (flag == "--faults") {
    return SetFaults(value, arguments.run);
  } else if (flag == "--profile") {
    arguments.all_profiles = value == "all";
    if (arguments.all_profiles) return absl::OkStatus();
    SLIPWAY_ASSIGN_OR_RETURN(arguments.run.profile, ParseProfile(value));
  } else if (!is_number) {
    return Wrong(flag, value);
  } else if (flag == "--seed") {
    arguments.run.seed = number;
  } else if (flag == "--seeds") {
    arguments.seeds = number;
  } else if (flag == "--steps") {
    arguments.run.steps = number;
  } else if (flag == "--shadow") {
    arguments.shadow_percent = number;
  } else if (flag == "--clients" && number > 0 && number < 1000) {
    arguments.run.clients = static_cast<int>(number);
  } else {
    return Wrong(flag, value);
  }
  return absl::OkStatus();
}

absl::StatusOr<Arguments> Parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& flag = words[i];
    if (flag == "--help" || flag == "-h") {
      arguments.help = true;
    } else if (flag == "--trace") {
      arguments.trace = true;
    } else if (flag == "--no-shrink") {
      arguments.shrink = false;
    } else if (flag == "--keep-going") {
      arguments.keep_going = true;
    } else if (i + 1 < words.size()) {
      SLIPWAY_RETURN_IF_ERROR(SetValue(flag, words[++i], arguments));
    } else {
      return Wrong(flag, "");
    }
  }
  return arguments;
}

struct Totals {
  uint64_t runs = 0, failed = 0, shadows = 0, events = 0, operations = 0, unknown = 0;
  uint64_t unknown_verdicts = 0, faults = 0, restarts = 0, installs = 0, fenced = 0;
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
    std::cout << absl::StrFormat(
        "eraft_sim: %d seeds, %d failed, %d shadow runs; %d events, %d operations (%d unknown), %d "
        "faults, %d restarts, %d snapshots installed, %d disks fenced, %d histories undecided; "
        "%.1f s: %.1f seeds/s, %.0f "
        "events/s\n",
        totals_.runs, totals_.failed, totals_.shadows, totals_.events, totals_.operations,
        totals_.unknown, totals_.faults, totals_.restarts, totals_.installs, totals_.fenced,
        totals_.unknown_verdicts, seconds, of(totals_.runs) / seconds,
        of(totals_.events) / seconds);
    return totals_.failed == 0 ? 0 : 1;
  }

 private:
  void Count(const SimulationReport& report) {
    totals_.events += report.events;
    totals_.operations += report.operations;
    totals_.unknown += report.unknown_operations;
    totals_.unknown_verdicts += report.unknown_verdicts;
    totals_.faults += report.faults.size();
    totals_.restarts += report.restarts;
    totals_.installs += report.installs;
    totals_.fenced += report.fenced;
  }

  // False: it failed.
  bool RunSeed(const SimulationOptions& options) {
    ++totals_.runs;
    const SimulationReport report = Simulate(options);
    Count(report);
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
    Count(shadow);
    if (shadow.trace_hash == report.trace_hash && shadow.events == report.events) return true;
    ++totals_.failed;
    std::cout << "FAILED: two runs of one seed differ\n  replay: eraft_sim "
              << ReplayArguments(options) << Suffix() << " --shadow 100\n";
    return false;
  }

  void Fail(const SimulationOptions& options, const SimulationReport& report) {
    ++totals_.failed;
    std::cout << "FAILED after " << report.violation_at << " events: " << report.violation
              << "\n  replay: eraft_sim " << ReplayArguments(options) << Suffix() << "\n";
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
