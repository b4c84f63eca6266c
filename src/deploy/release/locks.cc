#include "deploy/release/locks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/json/json.h"
#include "base/mutant.h"
#include "base/sync/mutex.h"
#include "base/units.h"
#include "deploy/model/errors.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kHolderBytesMax = 64 * base::kKiB;
constexpr absl::Duration kPollFirst = absl::Milliseconds(5);
constexpr absl::Duration kPollMax = absl::Milliseconds(200);

std::string DescribeSelf(const Root& root) {
  base::Environment& environment = root.world.environment;
  base::Json json = base::Json::MakeObject();
  json.Set("pid", environment.ProcessId());
  json.Set("host", environment.HostName());
  json.Set("user", environment.UserName());
  json.Set("command", root.options.command);
  json.Set("since", base::FormatRfc3339(root.world.clock.Wall()));
  return json.Dump() + "\n";
}

std::string Field(const base::Json& json, absl::string_view key) {
  const base::Json* value = json.Find(key);
  if (value == nullptr) return "?";
  if (value->AsString() != nullptr) return base::EscapeForTerminal(*value->AsString());
  return value->AsInt() ? absl::StrCat(*value->AsInt()) : "?";
}

// Who holds the lock, from the file; the holder writes it right after taking the lock, so a reader
// may come a moment too early and see the one before.
std::string DescribeHolder(base::Dir& dir, const std::string& path) {
  const auto text = base::ReadFile(dir, path, kHolderBytesMax);
  if (!text.ok()) return "by another process";
  const auto json = base::ParseJson(*text);
  if (!json.ok() || !json->is_object()) return "by another process";
  return absl::StrCat("by pid ", Field(*json, "pid"), " on ", Field(*json, "host"), ", user ",
                      Field(*json, "user"), ", command \"", Field(*json, "command"), "\", since ",
                      Field(*json, "since"));
}

// Sleeps until `duration` passed or the token fires.
void Pause(const base::CancelToken& cancel, absl::Duration duration) {
  base::Mutex mutex;
  base::CondVar wake;
  const auto registered = cancel.OnCancel([&] {
    base::MutexLock lock(mutex);
    wake.NotifyAll();
  });
  base::MutexLock lock(mutex);
  if (!cancel.cancelled()) wake.WaitFor(mutex, duration);
}

}  // namespace

absl::StatusOr<std::optional<Lock>> TryTakeLock(const Root& root, const std::string& path) {
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = root.modes.file;
  SLIPWAY_ASSIGN_OR_RETURN(auto file, root.dir->Open(path, options));
  if (!SLIPWAY_MUTANT("drop-lock")) {
    const absl::Status taken = file->TryLock();
    if (absl::IsAborted(taken)) return std::optional<Lock>();
    SLIPWAY_RETURN_IF_ERROR(taken);
  }
  const std::string text = DescribeSelf(root);
  SLIPWAY_RETURN_IF_ERROR(file->Truncate(0));
  SLIPWAY_RETURN_IF_ERROR(file->WriteAt(0, base::AsBytes(text)));
  return std::optional<Lock>(std::in_place, std::move(file));
}

absl::Status RetryWhileLocked(const Root& root, absl::Duration wait,
                              absl::FunctionRef<absl::Status()> attempt) {
  const absl::Duration give_up = root.world.clock.Monotonic() + wait;
  for (absl::Duration pause = kPollFirst;; pause = std::min(2 * pause, kPollMax)) {
    absl::Status status = attempt();
    const absl::Duration left = give_up - root.world.clock.Monotonic();
    if (!absl::IsAborted(status) || left <= absl::ZeroDuration()) return status;
    Pause(root.options.cancel, std::min(pause, left));
    SLIPWAY_RETURN_IF_ERROR(RootError(root.options.cancel.status(), "wait for a lock"));
  }
}

absl::StatusOr<Lock> TakeLock(const Root& root, const std::string& path, absl::string_view what,
                              absl::Duration wait) {
  std::optional<Lock> lock;
  const absl::Status taken = RetryWhileLocked(root, wait, [&]() -> absl::Status {
    SLIPWAY_ASSIGN_OR_RETURN(lock, TryTakeLock(root, path));
    if (lock) return absl::OkStatus();
    return Error(Dt::kLocked,
                 absl::StrCat("lock ", what, ": held ", DescribeHolder(*root.dir, path)),
                 "try again later, or wait with --wait-lock 30s");
  });
  if (!taken.ok()) return RootError(taken, absl::StrCat("lock ", what));
  return *std::move(lock);
}

absl::StatusOr<std::vector<Lock>> TakeTypeLocks(const Root& root,
                                                const std::vector<std::string>& types) {
  std::vector<std::string> sorted = types;
  if (!SLIPWAY_MUTANT("locks-unsorted")) std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  const absl::Duration start = root.world.clock.Monotonic();
  std::vector<Lock> locks;
  for (const std::string& type : sorted) {
    const absl::Duration used = root.world.clock.Monotonic() - start;
    SLIPWAY_ASSIGN_OR_RETURN(
        Lock lock, TakeLock(root, TypeLockFile(type), type,
                            std::max(root.options.wait_lock - used, absl::ZeroDuration())));
    locks.push_back(std::move(lock));
  }
  return locks;
}

absl::StatusOr<Lock> TakeRootLock(const Root& root) {
  return TakeLock(root, kRootLockFile, "the links of the deploy root",
                  std::max(root.options.wait_lock, kRootLockWaitMin));
}

}  // namespace slipway::deploy
