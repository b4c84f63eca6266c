// Commands of eraftctl, added to its program. Thread-compatible.
#pragma once

#include "base/cli/program.h"

namespace slipway::eraft::cli {

// wal dump, wal verify, wal stat (E116): a node's log, offline and read-only.
void AddWalCommands(base::cli::Program& program);

}  // namespace slipway::eraft::cli
