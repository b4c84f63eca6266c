// Making installed versions current: what switch, rollback and a rollback of generations share.
// Thread-safe: free functions.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "deploy/release/change.h"
#include "deploy/release/layout.h"
#include "deploy/release/options.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

// What an operation wants to become current. `entry` is its history line: it may add to it.
struct Wish {
  std::vector<Component> components;
  std::vector<std::string> warnings;
};
using WishFn = absl::FunctionRef<absl::StatusOr<Wish>(HistoryEntry& entry)>;

// Switches to what `wish` says under the locks of `types`, in one transaction; nothing to change:
// nothing is written. `wish` reads only, and is asked again when the locks are held. DT010 and
// DT007 for versions that are not installed or not intact.
absl::StatusOr<ChangeResult> Activate(const Root& root, const std::string& operation,
                                      const std::vector<std::string>& types,
                                      const ChangeOptions& options, WishFn wish);

}  // namespace slipway::deploy
