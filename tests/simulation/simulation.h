// One run of the production code of a cluster under faults, all from one seed (E200-E204): nodes on
// simulated machines, clients that note what they see, checks at every step, at the end calm, and
// then everything must come right. Not thread-safe; several runs may go on in different threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "coverage.h"
#include "faults.h"

namespace slipway::eraft::simulation {

struct SimulationOptions {
  uint64_t seed = 1;
  uint64_t steps = 50'000;  // events under faults; those of the calm end come on top
  Profile profile = Profile::kMixed;
  std::optional<std::vector<int>> faults;         // numbers in the plan; absent: all
  int clients = 0;                                // 0: the seed says
  std::function<void(const std::string&)> print;  // a line for each thing that happens; may be null
};

struct SimulationReport {
  std::string violation;      // empty: every promise was kept
  uint64_t violation_at = 0;  // events
  uint64_t trace_hash = 0;
  uint64_t events = 0;
  int clients = 0;
  uint64_t nodes = 0, damaged = 0;  // machines; those of them whose disk was damaged
  std::vector<int> faults;          // that happened, as numbers in the plan
  std::vector<std::string> fault_lines;
  Coverage coverage;
  uint64_t operations = 0, unknown_operations = 0;
  uint64_t unknown_verdicts = 0;  // histories that the checker gave up on
  uint64_t frames = 0;            // that arrived
  uint64_t applied = 0, terms = 0;
  std::string drawing;  // HTML of the key that is not linearizable
};

SimulationReport Simulate(const SimulationOptions& options);

}  // namespace slipway::eraft::simulation
