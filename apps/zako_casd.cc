// zako-casd: serves a content-addressed store.
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cli/program.h"
#include "base/cli/server_flags.h"
#include "base/cli/streams.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/net/endpoint.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/sd_notify.h"
#include "base/os/signals.h"
#include "base/os/terminal.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "base/sync/mutex.h"
#include "build_info.h"
#include "cas/service/casd.h"
#include "cas/service/listen.h"
#include "cas/service/probe.h"
#include "cas/store/lmdb_index.h"
#include "main_parts.h"

namespace {

using namespace slipway;  // NOLINT: a main

constexpr absl::Duration kProbeTimeout = absl::Seconds(5);
// They wait for the disk, so their number has little to do with cores: it bounds how many uploads
// can share the syncs of one commit.
constexpr int kIoThreads = 32;

// What SIGHUP does, while there is something to do it to. Thread-safe.
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

// A stopped program with a reason that a supervisor can act on (Z46; DECISIONS 3).
int ExitOf(const absl::Status& status) {
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

absl::Status SetUpLog(const cas::CasdConfig& config, base::Clock& clock) {
  base::LogOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(options.level, base::ParseLogLevel(config.log_level));
  options.format = config.log_format == "json" ? base::LogOptions::Format::kJson
                                               : base::LogOptions::Format::kText;
  options.logger = "zako-casd";
  options.file = config.log_file;
  return base::Annotate(base::ConfigureLog(options, clock), "open log");
}

void Notify(base::World& world, absl::string_view state) {
  const absl::Status status = base::os::NotifyServiceManager(world.environment, state);
  if (!status.ok()) {
    SLIPWAY_LOG(kWarn, "service manager not told", {{"error", std::string(status.message())}});
  }
}

void WaitFor(const base::CancelToken& cancel) {
  base::Mutex mutex;
  base::CondVar changed;
  bool stop = false;
  const auto handle = cancel.OnCancel([&] {
    base::MutexLock lock(mutex);
    stop = true;
    changed.NotifyAll();
  });
  base::MutexLock lock(mutex);
  while (!stop) changed.Wait(mutex);
}

absl::Status RunProbe(const cas::CasdConfig& config, std::string address, base::World& world) {
  if (address.empty()) {
    auto own = cas::ListenAddresses(config.listen_cas, false, world.files);
    if (!own.ok()) return own.status();
    SLIPWAY_ASSIGN_OR_RETURN(base::net::Endpoint endpoint, base::net::ParseEndpoint(own->front()));
    if (base::net::IsUnspecified(endpoint.host)) endpoint.host = "127.0.0.1";
    address = endpoint.ToString();
  }
  base::net::TlsOptions tls = config.tls;
  // The own certificate is good enough to be asked with; who signs clients signs servers too.
  if (tls.client_auth == base::net::ClientAuth::kNone) tls.cert = tls.key = "";
  return cas::Probe(address, tls, world.files, world.clock.Wall(), kProbeTimeout);
}

absl::Status Serve(const cas::CasdConfig& config, const std::string& ports_file,
                   base::cli::Invocation& in, Reloader& reloader) {
  base::World& world = in.world;
  SLIPWAY_RETURN_IF_ERROR(SetUpLog(config, world.clock));
  base::Metrics metrics;
  base::os::ThreadLoop loop("casd");
  const int threads =
      config.io_threads > 0 ? config.io_threads : std::max(kIoThreads, 2 * world.pool.threads());
  base::os::ThreadPool io("io", threads, 1024 + 4 * static_cast<size_t>(config.streams_max));
  const cas::MakeIndex open_index = [&world](const std::string& root) {
    return cas::OpenLmdbIndex(world.files, root);
  };
  SLIPWAY_ASSIGN_OR_RETURN(
      const std::unique_ptr<cas::Casd> casd,
      cas::Casd::Start(config, world, loop, io, metrics, open_index, {kVersion, kCommit}));
  if (!ports_file.empty()) {
    SLIPWAY_RETURN_IF_ERROR(base::cli::WritePortsFile(world.files, ports_file,
                                                      {{"cas", casd->port("cas")},
                                                       {"transport", casd->port("transport")},
                                                       {"admin", casd->port("admin")},
                                                       {"http", casd->port("http")}},
                                                      world.environment.ProcessId()));
  }
  reloader.Set([&] {
    absl::Status status = SetUpLog(config, world.clock);
    status.Update(casd->Reload());
    SLIPWAY_LOG(kInfo, "reloaded", {{"result", std::string(status.ToString())}});
  });
  Notify(world, absl::StrCat("READY=1\nSTATUS=serving on port ", casd->port("cas")));
  WaitFor(in.cancel);
  reloader.Set(nullptr);
  SLIPWAY_LOG(kInfo, "stopping", {{"reason", in.cancel.reason().text}});
  Notify(world, "STOPPING=1\nSTATUS=draining");
  casd->Drain();
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  base::os::World world;  // first: it blocks the signals before any library starts a thread
  base::CancelSource cancel;
  Reloader reloader;
  const base::os::CancelOnSignals signals(cancel, [&reloader] { reloader.Run(); });
  const base::os::Terminal terminal = base::os::DetectTerminal();
  base::cli::Streams streams{std::cin, std::cout, std::cerr};
  streams.out_is_terminal = terminal.out;
  streams.err_is_terminal = terminal.err;
  streams.width = terminal.width;

  base::cli::ProgramOptions options;
  options.version = kVersion;
  options.exit_of = ExitOf;
  base::cli::Program program("zako-casd", "Serves a content-addressed store.", options);
  program.SetCommit(kCommit);
  base::cli::Command& command = program.Add("", "Serve");
  base::cli::ServerFlags flags(command,
                               {.prefix = "ZAKO_CASD", .config_file = "/etc/zako/casd.yaml"});
  flags.AddKey(command, "--roles", "LIST", "roles", "Parts to serve: cas, transport, admin, http");
  command.Example("zako-casd --config /etc/zako/casd.yaml");
  command.Example("ZAKO_CASD__STORE__ROOT=/tmp/cas zako-casd", "for a try");
  command.Run([&](base::cli::Invocation& in) -> absl::Status {
    SLIPWAY_RETURN_IF_ERROR(SetFailpointsFrom(in.world));
    cas::CasdConfig config;
    SLIPWAY_ASSIGN_OR_RETURN(
        const base::cli::LoadedServerConfig loaded,
        base::cli::LoadServerConfig(
            flags, in, [&](base::ConfigReader& reader) { cas::BindCasdConfig(reader, config); },
            [&] { return cas::CheckCasdConfig(config); }));
    if (loaded.shown) return absl::OkStatus();
    if (flags.probe()) {
      const absl::Status status = RunProbe(config, flags.probe_address(), in.world);
      if (!status.ok()) in.exit_code = base::kExitFailure;
      return status;
    }
    return Serve(config, flags.ports_file(), in, reloader);
  });
  return program.Run(std::vector<std::string>(argv + 1, argv + argc), streams, world.world(),
                     cancel.token());
}
