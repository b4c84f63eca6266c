// Small things that every part of this folder needs. Thread-safe: free functions; they block.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/sync/cancel.h"
#include "base/world.h"

namespace slipway::eraft::chaos {

// The token's status when it is cancelled before the time is over.
absl::Status Wait(absl::Duration time, const base::CancelToken& cancel);
// Asks `done` every 20 ms until it says yes. DeadlineExceeded: "`what`: not within …".
absl::Status WaitFor(absl::string_view what, absl::Duration timeout, base::Clock& clock,
                     const base::CancelToken& cancel, const std::function<bool()>& done);

// Runs a program to its end; what it wrote. Internal: it failed, with what it wrote on stderr.
absl::StatusOr<std::string> RunTool(base::World& world, std::vector<std::string> argv,
                                    absl::Duration timeout = absl::Minutes(2));

// Writes a small file in place, so that a process which reads it at any moment sees old or new.
absl::Status WriteSmall(base::World& world, const std::string& path, absl::string_view text);
bool FileExists(base::World& world, const std::string& path);
// Where a program of the system is; empty: nowhere.
std::string FindTool(base::World& world, const std::string& name);

}  // namespace slipway::eraft::chaos
