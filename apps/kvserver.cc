// kvserver: one node of a replicated key-value store.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cli/program.h"
#include "base/cli/server_flags.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/net/descriptors.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/sd_notify.h"
#include "base/os/signals.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "base/sync/mutex.h"
#include "build_info.h"
#include "eraft/service/flags.h"
#include "eraft/service/kvserver.h"
#include "eraft/service/probe.h"
#include "main_parts.h"

namespace {

using namespace slipway;  // NOLINT: a main

constexpr absl::Duration kProbeTimeout = absl::Seconds(5);
constexpr size_t kQueueMax = 4096;
constexpr int kAuxThreads = 4;

// What SIGHUP calls, while there is something to do it to. Thread-safe.
class Reloader {
 public:
  void Set(std::function<void()> reload) {
    base::MutexLock lock(mutex_);
    reload_ = std::move(reload);
  }
  void Run() {
    base::MutexLock lock(mutex_);
    if (reload_) reload_();
  }

 private:
  base::Mutex mutex_;
  std::function<void()> reload_ ABSL_GUARDED_BY(mutex_);
};

// A stopped program with a reason that a supervisor can act on (E10, E11, E114).
int ExitOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return base::kExitUsage;
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

void Notify(base::World& world, absl::string_view state) {
  const absl::Status status = base::os::NotifyServiceManager(world.environment, state);
  if (!status.ok()) {
    SLIPWAY_LOG(kWarn, "service manager not told", {{"error", std::string(status.message())}});
  }
}

// The end of the program: asked for, or forced by the node.
struct End {
  base::Mutex mutex;
  base::CondVar changed;
  bool asked ABSL_GUARDED_BY(mutex) = false;
  absl::Status fatal ABSL_GUARDED_BY(mutex);
};

absl::Status WaitFor(const base::CancelToken& cancel, End& end) {
  const auto handle = cancel.OnCancel([&] {
    base::MutexLock lock(end.mutex);
    end.asked = true;
    end.changed.NotifyAll();
  });
  base::MutexLock lock(end.mutex);
  while (!end.asked && end.fatal.ok()) end.changed.Wait(end.mutex);
  return end.fatal;
}

void Reload(base::World& world, eraft::KvServer& server) {
  const absl::Duration now = world.clock.Monotonic();
  Notify(world, absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", absl::ToInt64Microseconds(now)));
  const absl::Status files = server.Reload();
  SLIPWAY_LOG(kInfo, "certificates and tokens read again", {{"result", files.ToString()}});
  Notify(world, "READY=1");
}

absl::Status Serve(const eraft::KvServerSettings& settings, const base::cli::ServerFlags& flags,
                   base::cli::Invocation& in, Reloader& reloader) {
  base::World& world = in.world;
  const eraft::KvServerConfig& config = settings.config;
  SLIPWAY_RETURN_IF_ERROR(eraft::SetUpLog(config, world.clock));
  base::Metrics metrics;
  End end;
  base::os::ThreadLoop loop("kv");
  base::os::ThreadPool pool("kv", eraft::ApplyWorkersOf(config, world.pool.threads()), kQueueMax);
  base::os::ThreadPool wal_pool("wal", 1, kQueueMax);
  base::os::ThreadPool aux_pool("aux", kAuxThreads, kQueueMax);
  SLIPWAY_ASSIGN_OR_RETURN(
      const std::unique_ptr<eraft::KvServer> server,
      eraft::KvServer::Start(config, settings.plan,
                             {world, loop, pool, wal_pool, aux_pool, metrics, kVersion, kCommit,
                              settings.values, [&end](const absl::Status& status) {
                                base::MutexLock lock(end.mutex);
                                end.fatal = status;
                                end.changed.NotifyAll();
                              }}));
  if (!flags.ports_file().empty()) {
    SLIPWAY_RETURN_IF_ERROR(base::cli::WritePortsFile(world.files, flags.ports_file(),
                                                      {{"grpc", server->port("grpc")},
                                                       {"peer", server->port("peer")},
                                                       {"http", server->port("http")}},
                                                      world.environment.ProcessId()));
  }
  reloader.Set([&] { Reload(world, *server); });
  Notify(world, absl::StrCat("READY=1\nSTATUS=serving on port ", server->port("grpc")));
  const absl::Status fatal = WaitFor(in.cancel, end);
  reloader.Set(nullptr);
  if (!fatal.ok()) {
    // At once (E114): a disk that hangs would hold an orderly end up, and there is nothing to save.
    in.streams.err << "error: " << fatal.message() << "\n" << std::flush;
    std::_Exit(base::cli::kExitStorage);
  }
  SLIPWAY_LOG(kInfo, "stopping", {{"reason", in.cancel.reason().text}});
  Notify(world, "STOPPING=1\nSTATUS=draining");
  server->Drain();
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  base::os::World world;  // first: it blocks the signals before any library starts a thread
  base::net::RaiseDescriptorLimit();
  base::CancelSource cancel;
  Reloader reloader;
  // A second signal ends the program at once (E195): what it acknowledged is in the log.
  const base::os::CancelOnSignals signals(
      cancel, [&reloader] { reloader.Run(); }, [](int signal) { std::_Exit(128 + signal); });
  base::os::Input input(STDIN_FILENO, cancel.token());
  base::cli::Streams streams = StandardStreams(input);

  base::cli::ProgramOptions options;
  options.version = kVersion;
  options.exit_of = ExitOf;
  options.go_style = true;
  base::cli::Program program("kvserver", "Serves a replicated key-value store.", options);
  program.SetCommit(kCommit);
  base::cli::Command& command = program.Add("", "Serve");
  base::cli::ServerFlags flags(command,
                               {.prefix = "ERAFT", .config_file = "/etc/eraft/kvserver.yaml"});
  eraft::AddKvServerFlags(command, flags);
  command.Run([&](base::cli::Invocation& in) -> absl::Status {
    SLIPWAY_RETURN_IF_ERROR(SetFailpointsFrom(in.world));
    const auto settings = eraft::ReadKvServerSettings(flags, in);
    if (!settings.ok()) {
      in.exit_code = base::kExitUsage;  // whatever keeps the configuration from being read
      return settings.status();
    }
    if (settings->shown) return absl::OkStatus();
    if (flags.probe()) {
      const absl::Status status =
          eraft::ProbeKvServer(*settings, flags.probe_address(), in.world, kProbeTimeout);
      if (!status.ok()) in.exit_code = base::kExitFailure;
      return status;
    }
    return Serve(*settings, flags, in, reloader);
  });
  return program.Run(std::vector<std::string>(argv + 1, argv + argc), streams, world.world(),
                     cancel.token());
}
