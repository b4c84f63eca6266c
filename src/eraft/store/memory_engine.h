// The engine in memory: for simulation and tests, deterministic, with the durability of the real
// ones: what no Flush has written is gone after a crash (E150, E151).
#pragma once

#include <memory>

#include "base/files.h"
#include "eraft/store/engine.h"

namespace slipway::eraft {

// Engines of this home keep their durable state in the file `state` of their directory beneath
// `root` (docs/formats/eraft-snapshot.md), written whole by each Flush: for small states only.
// Without `root` they keep it nowhere, every Open is empty, and Checkpoint is FailedPrecondition.
// `root` outlives the home and its engines.
std::unique_ptr<EngineHome> MemoryHome(base::Dir* root);

}  // namespace slipway::eraft
