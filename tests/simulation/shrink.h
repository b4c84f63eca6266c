// Makes a failing run smaller: fewer faults, fewer clients, fewer steps (E206). Thread-safe.
#pragma once

#include <functional>
#include <string>

#include "simulation.h"

namespace slipway::eraft::simulation {

struct Shrunk {
  SimulationOptions options;
  SimulationReport report;  // of a run with them; it fails too
  int runs = 0;
};

// `failed` is the report of `options`. At most `runs_max` further runs, by `simulate`.
using SimulateFunction = std::function<SimulationReport(const SimulationOptions&)>;
Shrunk Shrink(const SimulationOptions& options, const SimulationReport& failed, int runs_max,
              const SimulateFunction& simulate = Simulate);

// The arguments of eraft_sim that repeat the run.
std::string ReplayArguments(const SimulationOptions& options);

}  // namespace slipway::eraft::simulation
