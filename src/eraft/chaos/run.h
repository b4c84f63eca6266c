// One run of a scenario: cluster, load, what is measured and how it ends. Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/json/json.h"
#include "base/sim/random.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "eraft/chaos/cluster.h"
#include "eraft/chaos/disks.h"
#include "eraft/chaos/load.h"
#include "eraft/chaos/replicas.h"

namespace slipway::eraft::chaos {

struct RunSettings {
  std::string scenario;
  int nodes = 0;            // 0: as the scenario has it
  absl::Duration duration;  // zero: as the scenario has it
  int count = 0;            // of cuts, rounds, …; 0: as the scenario has it
  uint64_t seed = 1;
  int clients = 32;
  double rate = 400;
  std::string dir;       // absolute, exists
  std::string programs;  // where kvserver is
  std::string shim;      // empty: there is none
};

class Run {
 public:
  Run(RunSettings settings, base::World& world, base::CancelToken cancel,
      std::function<void(const std::string&)> say);
  ~Run();

  // --- What scenarios use ---
  const RunSettings& settings() const { return settings_; }
  int Nodes(int fallback) const { return settings_.nodes > 0 ? settings_.nodes : fallback; }
  absl::Duration Duration(absl::Duration fallback) const;
  int Count(int fallback) const { return settings_.count > 0 ? settings_.count : fallback; }

  // Makes the cluster without starting it.
  absl::Status Make(int nodes, std::vector<std::string> arguments, bool shim = false);
  absl::Status StartCluster() { return cluster_->StartAll(); }
  absl::Status StartLoad();
  // Begin = all of it.
  absl::Status Begin(int nodes, std::vector<std::string> arguments = {}, bool shim = false);

  // Heals the network, wakes and starts all that should be up, waits for a leader, ends the load,
  // reads everything, judges the history and compares the replicas. Adds what was found to the
  // result. Internal: a promise was broken. `available_min`: share of the
  // seconds of the load, if it took a minute or more.
  absl::Status Finish(double available_min);

  absl::Status Wait(absl::Duration time);
  void Note(absl::string_view name, base::Json value) { result_.Set(name, std::move(value)); }
  void Say(const std::string& text) { say_(text); }  // progress, for people
  // A fault is about to happen: counted by its name in the result.
  void Count(const std::string& fault);
  // Fails as a broken promise: Internal.
  static absl::Status Broken(const std::string& what);

  base::World& world() { return world_; }
  Cluster& cluster() { return *cluster_; }
  Load& load() { return *load_; }
  Disks& disks() { return *disks_; }
  bool has_cluster() const { return cluster_ != nullptr; }
  base::sim::Stream& random() { return random_; }
  const base::CancelToken& cancel() const { return cancel_; }
  absl::Duration now() { return world_.clock.Monotonic(); }
  const base::Json& result() const { return result_; }
  // Keeps copies of what is on disks that vanish with this process.
  void KeepDisks();

 private:
  absl::Status Heal();
  absl::Status Judge(double available_min);

  const RunSettings settings_;
  base::World& world_;
  const base::CancelToken cancel_;
  const std::function<void(const std::string&)> say_;
  base::sim::Stream random_;
  base::Json result_ = base::Json::MakeObject();
  std::map<std::string, int> faults_;
  std::unique_ptr<Disks> disks_;  // ends last: the nodes are on them
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Load> load_;
};

}  // namespace slipway::eraft::chaos
