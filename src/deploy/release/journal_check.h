// Whether a journal that was found may be acted on (D4, D190): whoever can write into a root may
// have made it up. Thread-safe: free functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "deploy/release/journal.h"

namespace slipway::deploy {

// Whether `tx` and `steps` are what a change of the root at `root_path` announces: versions to
// their places, links of this root and custom links, files moved aside to the backup beside them.
// DT007 names the first thing that is not. `root_path` is absolute.
absl::Status CheckJournal(absl::string_view root_path, absl::string_view tx,
                          const std::vector<JournalStep>& steps);

// Whether taking the link `change` of a SWITCH or ACTIVE step back may set `change.from` again: a
// version, or a generation. Anything else led to nothing that works, and whoever wrote it, it is
// not made again.
bool IsOwnTarget(StepKind kind, const LinkChange& change);

}  // namespace slipway::deploy
