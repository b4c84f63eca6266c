// Locks of a deploy root (D177): one file for each type, held for a whole transaction, and one for
// the root, held while links and generations change. They die with the process that holds them.
// Order: types in bytewise order, then the root; whoever holds the root lock only tries type locks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "deploy/release/layout.h"

namespace slipway::deploy {

// Held while it lives. Movable.
class Lock {
 public:
  explicit Lock(std::unique_ptr<base::File> file) : file_(std::move(file)) {}

 private:
  std::unique_ptr<base::File> file_;
};

// The root lock is short, so it is waited for at least this long.
inline constexpr absl::Duration kRootLockWaitMin = absl::Seconds(30);

// Calls `attempt` until it returns something other than Aborted or `wait` has passed; that is the
// result. DT026 when the root's cancel token fires meanwhile.
absl::Status RetryWhileLocked(const Root& root, absl::Duration wait,
                              absl::FunctionRef<absl::Status()> attempt);

// Takes the lock `path`, waiting up to `wait` and until the root's cancel token fires. DT021 names
// `what` ("model") and the holder: pid, host, user, command, since. DT026.
absl::StatusOr<Lock> TakeLock(const Root& root, const std::string& path, absl::string_view what,
                              absl::Duration wait);
// The same without waiting; nullopt when somebody holds it.
absl::StatusOr<std::optional<Lock>> TryTakeLock(const Root& root, const std::string& path);

absl::StatusOr<std::vector<Lock>> TakeTypeLocks(const Root& root,
                                                const std::vector<std::string>& types);
absl::StatusOr<Lock> TakeRootLock(const Root& root);

}  // namespace slipway::deploy
