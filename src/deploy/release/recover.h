// Finds transactions whose process died, and finishes or undoes them (D178).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "deploy/release/layout.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

// What the caller holds already.
struct RecoverScope {
  std::vector<std::string> locked_types;
  std::string own_tx;        // never touched
  bool root_locked = false;  // else it is taken, if there is a journal
};

// A journal is a dead one's when its type locks are free, or when it has come to the steps under
// the root lock, which is held here. DT015: one cannot be read, undone or finished, or is none
// that a change of this root writes. DT025: a newer tool wrote it. DT005: somebody else did. DT021,
// DT026: waiting for the root lock.
absl::StatusOr<Recovery> RecoverCrashed(const Root& root, const RecoverScope& scope);

// Removes staging directories without a journal; how many.
absl::StatusOr<uint64_t> SweepStaging(const Root& root);

}  // namespace slipway::deploy
