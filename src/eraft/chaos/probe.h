// What this machine offers for faults (spec 5.1). Thread-safe: free functions; they block.
#pragma once

#include <string>
#include <vector>

#include "base/world.h"
#include "eraft/chaos/scenarios.h"

namespace slipway::eraft::chaos {

struct Mechanism {
  std::string name;
  bool works = false;
  std::string why;  // it does not
  std::string use;
};

// Tries each; what that makes is gone afterwards. `shim`: the library that makes disks fail, empty
// if there is none.
std::vector<Mechanism> Probe(base::World& world, const std::string& shim);

// Empty: nowhere.
std::string FaketimeLibrary(base::World& world);

// Why a scenario cannot run here; empty: it can.
std::string WhyNot(Needs needs, base::World& world, const std::string& dir,
                   const std::string& shim);

}  // namespace slipway::eraft::chaos
