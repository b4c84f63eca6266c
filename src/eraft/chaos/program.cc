#include "eraft/chaos/program.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/units.h"
#include "eraft/chaos/disks.h"
#include "eraft/chaos/probe.h"
#include "eraft/chaos/run.h"
#include "eraft/chaos/scenarios.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

constexpr char kResultFile[] = "result.json";
constexpr uint64_t kResultBytesMax = 1 << 20;

struct RunFlags {
  std::string scenario;
  int64_t nodes = 0;
  absl::Duration duration;
  int64_t count = 0;
  std::optional<int64_t> seed;
  int64_t clients = 32;
  int64_t rate = 400;
  std::string dir;
};

// Where our programs and the shim are: beside this one, or beside its folder.
absl::Status FindPrograms(base::World& world, RunSettings& settings, std::string& self) {
  SLIPWAY_ASSIGN_OR_RETURN(self, world.files.Canonical("/proc/self/exe"));
  const std::string own(base::SplitPath(self).first);
  const std::string build(base::SplitPath(own).first);
  for (const std::string& folder : {own, absl::StrCat(build, "/bin")}) {
    if (!FileExists(world, absl::StrCat(folder, "/kvserver"))) continue;
    settings.programs = folder;
    break;
  }
  const std::string shim = absl::StrCat(build, "/lib/libslipway_disk_shim.so");
  if (FileExists(world, shim)) settings.shim = shim;
  if (!settings.programs.empty()) return absl::OkStatus();
  return base::MakeError(absl::StatusCode::kNotFound,
                         absl::StrCat("find kvserver: it is not beside ", self),
                         {"", "build the target kvserver"});
}

absl::Status MakeDir(base::World& world, RunSettings& settings) {
  if (settings.dir.empty()) {
    settings.dir = absl::StrCat(world.environment.Get("TMPDIR").value_or("/tmp"), "/eraft-chaos-",
                                world.random.Hex(6));
  }
  SLIPWAY_RETURN_IF_ERROR(world.files.MakeRoot(settings.dir).status());
  SLIPWAY_ASSIGN_OR_RETURN(settings.dir, world.files.Canonical(settings.dir));
  return absl::OkStatus();
}

// The command that does the same again.
std::string CommandOf(const std::string& self, const RunFlags& flags, uint64_t seed) {
  std::string command =
      absl::StrCat(self, " run ", flags.scenario, " --seed ", seed, " --clients ", flags.clients);
  if (flags.nodes > 0) absl::StrAppend(&command, " --nodes ", flags.nodes);
  if (flags.duration > absl::ZeroDuration()) {
    absl::StrAppend(&command, " --duration ", base::FormatGoDuration(flags.duration));
  }
  if (flags.count > 0) absl::StrAppend(&command, " --count ", flags.count);
  if (flags.rate != RunFlags().rate) absl::StrAppend(&command, " --rate ", flags.rate);
  return command;
}

// In this process.
base::Json RunHere(const Scenario& scenario, const RunSettings& settings,
                   base::cli::Invocation& in) {
  const absl::Duration began = in.world.clock.Monotonic();
  Run run(settings, in.world, in.cancel, [&in](const std::string& text) {
    if (!in.quiet) in.streams.err << "  " << text << "\n" << std::flush;
  });
  const absl::Status status = scenario.run(run);
  if (!status.ok()) run.KeepDisks();
  base::Json result = base::Json::MakeObject({{"scenario", scenario.name},
                                              {"id", scenario.id},
                                              {"result", status.ok() ? "passed" : "failed"},
                                              {"seed", settings.seed}});
  if (!status.ok()) result.Set("error", std::string(status.message()));
  for (const auto& [name, value] : *run.result().AsObject()) result.Set(name, value);
  result.Set("took_s", absl::ToInt64Seconds(in.world.clock.Monotonic() - began));
  return result;
}

// In a process with mounts of its own, which leaves its result in the directory.
absl::StatusOr<base::Json> RunWithMounts(const RunSettings& settings, const std::string& self,
                                         base::cli::Invocation& in) {
  std::vector<std::string> command = {"sh",
                                      "-c",
                                      "exec \"$@\" >/dev/null",
                                      "sh",
                                      self,
                                      "run",
                                      settings.scenario,
                                      "--seed",
                                      absl::StrCat(settings.seed),
                                      "--nodes",
                                      absl::StrCat(settings.nodes),
                                      "--duration",
                                      base::FormatGoDuration(settings.duration),
                                      "--count",
                                      absl::StrCat(settings.count),
                                      "--clients",
                                      absl::StrCat(settings.clients),
                                      "--rate",
                                      absl::StrCat(static_cast<int64_t>(settings.rate)),
                                      "--dir",
                                      settings.dir};
  SLIPWAY_ASSIGN_OR_RETURN(const int code, RunInOwnMounts(in.world, std::move(command), in.cancel));
  SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(settings.dir));
  const auto text = base::ReadFile(*dir, kResultFile, kResultBytesMax);
  if (!text.ok()) {
    return absl::InternalError(absl::StrCat("the run ended with ", code, " and left no result"));
  }
  return base::ParseJson(*text);
}

std::string Text(const base::Json& result, absl::string_view name) {
  const base::Json* const value = result.Find(name);
  if (value == nullptr) return "-";
  const std::string* const text = value->AsString();
  return text != nullptr ? *text : value->Dump();
}

// One line for people.
std::string SummaryOf(const base::Json& result) {
  std::vector<std::string> faults;
  if (const base::Json* const found = result.Find("faults"); found != nullptr) {
    for (const auto& [name, times] : *found->AsObject()) {
      faults.push_back(absl::StrCat(name, " ", times.Dump()));
    }
  }
  const std::string outcome = Text(result, "result");
  return absl::StrCat(outcome == "passed" ? "PASS" : "FAIL", " ", Text(result, "scenario"), " (",
                      Text(result, "id"), "): ", Text(result, "nodes"), " nodes, ",
                      Text(result, "answered"), " answered, ", Text(result, "unknown"),
                      " unknown, ", Text(result, "illegal_keys"), " of ", Text(result, "keys"),
                      " keys illegal, ", Text(result, "available_seconds"), " of ",
                      Text(result, "seconds"), " s available, ", Text(result, "equal_replicas"),
                      " equal replicas; ", absl::StrJoin(faults, ", "), "; seed ",
                      Text(result, "seed"), ", ", Text(result, "took_s"), " s");
}

absl::Status Skip(const Scenario& scenario, const std::string& why, base::cli::Invocation& in) {
  in.result = base::Json::MakeObject(
      {{"scenario", scenario.name}, {"id", scenario.id}, {"result", "skipped"}, {"reason", why}});
  if (!in.json) {
    in.streams.out << "SKIPPED " << scenario.name << " (" << scenario.id << "): " << why << "\n";
  }
  return absl::OkStatus();
}

absl::Status Conclude(const RunSettings& settings, const RunFlags& flags, const std::string& self,
                      base::Json result, base::cli::Invocation& in) {
  const bool passed = Text(result, "result") == "passed";
  const bool keep = !passed || !flags.dir.empty();
  const std::string again = CommandOf(self, flags, settings.seed);
  if (!passed) {
    result.Set("directory", settings.dir);
    result.Set("again", again);
  }
  if (!keep) RunTool(in.world, {"rm", "-rf", settings.dir}).IgnoreError();
  if (!in.json) in.streams.out << SummaryOf(result) << "\n";
  const std::string error = Text(result, "error");
  in.result = std::move(result);
  if (passed) return absl::OkStatus();
  return base::MakeError(absl::StatusCode::kInternal,
                         absl::StrCat("run ", settings.scenario, ": ", error),
                         {"", absl::StrCat("see ", settings.dir, "; again: ", again)});
}

absl::Status RunCommand(const RunFlags& flags, base::cli::Invocation& in) {
  const Scenario* const scenario = FindScenario(flags.scenario);
  if (scenario == nullptr) {
    return base::MakeError(absl::StatusCode::kInvalidArgument,
                           absl::StrCat("run ", flags.scenario, ": there is no such scenario"),
                           {"", "`eraft_chaos list` shows them"});
  }
  RunSettings settings;
  settings.scenario = scenario->name;
  settings.nodes = static_cast<int>(flags.nodes);
  settings.duration = flags.duration;
  settings.count = static_cast<int>(flags.count);
  settings.seed = flags.seed.has_value() ? static_cast<uint64_t>(*flags.seed)
                                         : in.world.random.Below(1'000'000);
  settings.clients = static_cast<int>(flags.clients);
  settings.rate = static_cast<double>(flags.rate);
  settings.dir = flags.dir;
  std::string self;
  SLIPWAY_RETURN_IF_ERROR(FindPrograms(in.world, settings, self));
  SLIPWAY_RETURN_IF_ERROR(MakeDir(in.world, settings));
  if (InOwnMounts(in.world)) {
    const base::Json result = RunHere(*scenario, settings, in);
    SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(settings.dir));
    return base::WriteFileDurably(*dir, kResultFile, result.Dump(2));
  }
  if (const std::string why = WhyNot(scenario->needs, in.world, settings.dir, settings.shim);
      !why.empty()) {
    if (flags.dir.empty()) RunTool(in.world, {"rm", "-rf", settings.dir}).IgnoreError();
    return Skip(*scenario, why, in);
  }
  const bool mounts = scenario->needs == Needs::kMounts || scenario->needs == Needs::kLoopDevices ||
                      scenario->needs == Needs::kShimAndLoopDevices;
  base::Json result;
  if (mounts) {
    SLIPWAY_ASSIGN_OR_RETURN(result, RunWithMounts(settings, self, in));
  } else {
    result = RunHere(*scenario, settings, in);
  }
  SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
  return Conclude(settings, flags, self, std::move(result), in);
}

absl::Status ListCommand(base::cli::Invocation& in) {
  in.result = base::Json::MakeArray();
  for (const Scenario& scenario : Scenarios()) {
    in.result.Append(base::Json::MakeObject(
        {{"name", scenario.name}, {"id", scenario.id}, {"summary", scenario.summary}}));
    if (!in.json) {
      in.streams.out << absl::StrFormat("%-10s %-11s %s\n", scenario.name, scenario.id,
                                        scenario.summary);
    }
  }
  return absl::OkStatus();
}

absl::Status ProbeCommand(base::cli::Invocation& in) {
  RunSettings settings;
  std::string self;
  FindPrograms(in.world, settings, self).IgnoreError();
  in.result = base::Json::MakeArray();
  for (const Mechanism& mechanism : Probe(in.world, settings.shim)) {
    in.result.Append(base::Json::MakeObject({{"mechanism", mechanism.name},
                                             {"works", mechanism.works},
                                             {"why_not", mechanism.why},
                                             {"use", mechanism.use}}));
    if (in.json) continue;
    in.streams.out << absl::StrFormat("%-8s %-50s %s\n", mechanism.works ? "works" : "missing",
                                      mechanism.name, mechanism.use);
    if (!mechanism.why.empty()) in.streams.out << "           " << mechanism.why << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<base::cli::Program> MakeProgram(const std::string& version) {
  base::cli::ProgramOptions options;
  options.version = version;
  auto program = std::make_unique<base::cli::Program>(
      "eraft_chaos", "Breaks clusters of kvserver and looks whether their promises hold.", options);
  program->globals().Example("eraft_chaos run kills --duration 20s", "kill -9 now and then");
  program->globals().Example("eraft_chaos probe", "what this machine offers");
  program->Add("list", "The scenarios").Run(ListCommand);
  program->Add("probe", "What works on this machine, and what is missing").Run(ProbeCommand);
  base::cli::Command& run = program->Add("run", "Run a scenario");
  const auto flags = std::make_shared<RunFlags>();
  run.Argument("SCENARIO", &flags->scenario, "name or id, see list").Required();
  run.Int("--nodes", "N", &flags->nodes, 0, 7, "nodes; 0: as the scenario has it");
  run.Duration("--duration", "TIME", &flags->duration, "of the faults; 0: as the scenario has it");
  run.Int("--count", "N", &flags->count, 0, 1'000'000,
          "of cuts, rounds, entries; 0: as the scenario has it");
  run.Int("--seed", "N", &flags->seed, 0, INT64_MAX, "of the faults and the load; random");
  run.Int("--clients", "N", &flags->clients, 1, 1000, "clients");
  run.Int("--rate", "N", &flags->rate, 1, 100'000, "operations a second, of all clients");
  run.Text("--dir", "DIR", &flags->dir, "for data and logs, kept; a temporary one");
  run.Run([flags](base::cli::Invocation& in) { return RunCommand(*flags, in); });
  return program;
}

}  // namespace slipway::eraft::chaos
