// An engine that makes durable what was written whenever it likes, as real ones do (E151): between
// any two writes. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>

#include "eraft/store/engine.h"

namespace slipway::eraft::simulation {

// `percent` of the writes of its engines are followed by a flush.
std::unique_ptr<EngineHome> FlushingHome(std::unique_ptr<EngineHome> home, uint64_t seed,
                                         uint64_t percent);

}  // namespace slipway::eraft::simulation
