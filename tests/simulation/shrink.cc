#include "shrink.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace slipway::eraft::simulation {
namespace {

// Keeps `best` while it tries others.
class Shrinker {
 public:
  Shrinker(Shrunk best, int runs_max, const SimulateFunction& simulate)
      : best_(std::move(best)), runs_max_(runs_max), simulate_(simulate) {}

  bool exhausted() const { return best_.runs >= runs_max_; }
  const Shrunk& best() const { return best_; }

  // Whether `options` fail too; then they are the best.
  bool Try(SimulationOptions options) {
    if (exhausted()) return false;
    ++best_.runs;
    SimulationReport report = simulate_(options);
    if (report.violation.empty()) return false;
    best_.options = std::move(options);
    best_.report = std::move(report);
    return true;
  }

  // Zeller and Hildebrandt's delta debugging ("Simplifying and isolating failure-inducing input",
  // 2002), complements only: leaves out one of `parts` parts at a time.
  void FewerFaults() {
    size_t parts = 2;
    while (!exhausted()) {
      const std::vector<int> faults = best_.report.faults;
      if (faults.empty()) return;
      parts = std::min(parts, faults.size());
      bool smaller = false;
      for (size_t part = 0; part < parts && !smaller; ++part) {
        const size_t begin = part * faults.size() / parts;
        const size_t end = (part + 1) * faults.size() / parts;
        SimulationOptions options = best_.options;
        options.faults.emplace(faults.begin(), faults.begin() + static_cast<std::ptrdiff_t>(begin));
        options.faults->insert(options.faults->end(),
                               faults.begin() + static_cast<std::ptrdiff_t>(end), faults.end());
        smaller = Try(std::move(options));
      }
      if (smaller) {
        parts = std::max<size_t>(2, parts - 1);
      } else if (parts >= faults.size()) {
        return;
      } else {
        parts *= 2;
      }
    }
  }

  // What would have come after the failure is left out for nothing.
  void EndAtTheFailure() {
    SimulationOptions options = best_.options;
    options.steps = std::min(options.steps, best_.report.violation_at + 1);
    Try(std::move(options));
  }

  void FewerClients() {
    for (int clients = 1; clients < best_.report.clients && !exhausted(); clients *= 2) {
      SimulationOptions options = best_.options;
      options.clients = clients;
      if (Try(std::move(options))) return;
    }
  }

  void FewerSteps() {
    for (uint64_t steps = best_.options.steps / 2; steps >= 100 && !exhausted(); steps /= 2) {
      SimulationOptions options = best_.options;
      options.steps = steps;
      if (!Try(std::move(options))) return;
    }
  }

 private:
  Shrunk best_;
  const int runs_max_;
  const SimulateFunction& simulate_;
};

}  // namespace

Shrunk Shrink(const SimulationOptions& options, const SimulationReport& failed, int runs_max,
              const SimulateFunction& simulate) {
  SimulationOptions first = options;
  first.print = nullptr;
  first.faults = failed.faults;
  Shrinker shrinker({.options = std::move(first), .report = failed}, runs_max, simulate);
  shrinker.EndAtTheFailure();
  shrinker.FewerSteps();
  shrinker.FewerClients();
  shrinker.FewerFaults();
  shrinker.EndAtTheFailure();
  return shrinker.best();
}

std::string ReplayArguments(const SimulationOptions& options) {
  std::string text = absl::StrCat("--seed ", options.seed, " --steps ", options.steps,
                                  " --profile ", ProfileName(options.profile));
  if (options.clients > 0) absl::StrAppend(&text, " --clients ", options.clients);
  if (options.faults.has_value()) {
    absl::StrAppend(&text, " --faults ",
                    options.faults->empty() ? "none" : absl::StrJoin(*options.faults, ","));
  }
  return text;
}

}  // namespace slipway::eraft::simulation
