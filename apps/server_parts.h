// What the mains of the servers share.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cli/program.h"
#include "base/cli/server_flags.h"
#include "base/log/log.h"
#include "base/net/descriptors.h"
#include "base/os/sd_notify.h"
#include "base/os/signals.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "base/sync/mutex.h"
#include "main_parts.h"

namespace slipway {

// How long `--probe` waits for an answer.
inline constexpr absl::Duration kProbeTimeout = absl::Seconds(5);

// The exit code of a server that ended for a reason on which a supervisor can act (DECISIONS 3).
inline int ServerExitOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return base::kExitUsage;  // the configuration, or a file that it names
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kPermissionDenied:
      return base::cli::kExitCannotStart;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kResourceExhausted:
      return base::cli::kExitStorage;
    case absl::StatusCode::kInternal:
      return base::cli::kExitInternal;
    default:
      return base::kExitFailure;
  }
}

// Tells the service manager, if there is one, and the log if that fails.
inline void Notify(base::World& world, absl::string_view state) {
  const absl::Status status = base::os::NotifyServiceManager(world.environment, state);
  if (!status.ok()) {
    SLIPWAY_LOG(kWarn, "service manager not told", {{"error", std::string(status.message())}});
  }
}

inline void NotifyReloading(base::World& world) { Notify(world, base::os::ReloadingState()); }

// What SIGHUP calls, while there is something to do it to; one that came before is made up for.
// Thread-safe.
class Reloader {
 public:
  void Set(std::function<void()> reload) {
    base::MutexLock lock(mutex_);
    reload_ = std::move(reload);
    if (reload_ && std::exchange(missed_, false)) reload_();
  }
  void Run() {
    base::MutexLock lock(mutex_);
    missed_ = !reload_;
    if (reload_) reload_();
  }

 private:
  base::Mutex mutex_;
  std::function<void()> reload_ ABSL_GUARDED_BY(mutex_);
  bool missed_ ABSL_GUARDED_BY(mutex_) = false;
};

// The world of a server: the first signal asks it to end, a second ends it at once, since what it
// acknowledged is on the disk. Built first in main: it blocks the signals before any library starts
// a thread.
class ServerMain {
 public:
  ServerMain()
      : signals_(
            cancel_, [this] { reloader_.Run(); }, [](int signal) { std::_Exit(128 + signal); }) {
    base::net::RaiseDescriptorLimit();
  }

  Reloader& reloader() { return reloader_; }
  int Run(base::cli::Program& program, int argc, char** argv) {
    return RunProgram(program, argc, argv, world_.world(), cancel_.token());
  }

 private:
  base::os::World world_;
  base::CancelSource cancel_;
  Reloader reloader_;
  const base::os::CancelOnSignals signals_;
};

}  // namespace slipway
