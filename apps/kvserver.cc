// kvserver: one node of a replicated key-value store.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cli/program.h"
#include "base/cli/server_flags.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/world.h"
#include "base/status.h"
#include "base/sync/cancel.h"
#include "base/sync/mutex.h"
#include "build_info.h"
#include "eraft/service/flags.h"
#include "eraft/service/kvserver.h"
#include "eraft/service/probe.h"
#include "server_parts.h"

namespace {

using namespace slipway;  // NOLINT: a main

constexpr size_t kQueueMax = 4096;
constexpr int kAuxThreads = 4;

// The end of the program: asked for, or forced by the node.
struct End {
  base::Mutex mutex;
  base::CondVar changed;
  bool asked ABSL_GUARDED_BY(mutex) = false;
  bool draining ABSL_GUARDED_BY(mutex) = false;
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

// At once (E114): a disk that hangs would hold an orderly end up, and there is nothing to save.
[[noreturn]] void Abandon(base::cli::Invocation& in, const absl::Status& fatal) {
  in.streams.err << "error: " << fatal.message() << "\n";
  const std::string hint = base::GetErrorInfo(fatal).hint;
  if (!hint.empty()) in.streams.err << "  hint: " << hint << "\n";
  in.streams.err << std::flush;
  std::_Exit(base::cli::kExitStorage);
}

void Reload(base::World& world, eraft::KvServer& server) {
  NotifyReloading(world);
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
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<eraft::KvServer> server,
                           eraft::KvServer::Start(config, settings.plan,
                                                  {world, loop, pool, wal_pool, aux_pool, metrics,
                                                   kVersion, kCommit, settings.values,
                                                   [&end, &in](const absl::Status& status) {
                                                     base::MutexLock lock(end.mutex);
                                                     if (end.draining) Abandon(in, status);
                                                     end.fatal = status;
                                                     end.changed.NotifyAll();
                                                   },
                                                   in.cancel}));
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
  if (!fatal.ok()) Abandon(in, fatal);
  {
    base::MutexLock lock(end.mutex);
    end.draining = true;
    if (!end.fatal.ok()) Abandon(in, end.fatal);
  }
  SLIPWAY_LOG(kInfo, "stopping", {{"reason", in.cancel.reason().text}});
  Notify(world, "STOPPING=1\nSTATUS=draining");
  server->Drain();
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  ServerMain server_main;
  base::cli::ProgramOptions options;
  options.version = kVersion;
  options.exit_of = ServerExitOf;
  options.go_style = true;
  base::cli::Program program("kvserver", "Serves a replicated key-value store.", options);
  base::cli::Command& command = program.Add("", "Serve");
  base::cli::ServerFlags flags(command,
                               {.prefix = "ERAFT", .config_file = "/etc/eraft/kvserver.yaml"});
  eraft::AddKvServerFlags(command, flags);
  command.Run([&](base::cli::Invocation& in) -> absl::Status {
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
    const absl::Status served = Serve(*settings, flags, in, server_main.reloader());
    // Asked to stop while it waited for room to start: as orderly as later (E195).
    if (absl::IsCancelled(served) && in.cancel.cancelled()) return absl::OkStatus();
    return served;
  });
  return server_main.Run(program, argc, argv);
}
