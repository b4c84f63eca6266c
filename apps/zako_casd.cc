// zako-casd: serves a content-addressed store.
#include <malloc.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/program.h"
#include "base/cli/server_flags.h"
#include "base/config/reader.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/world.h"
#include "base/sync/cancel.h"
#include "base/sync/mutex.h"
#include "build_info.h"
#include "cas/service/casd.h"
#include "cas/service/probe.h"
#include "cas/store/lmdb_index.h"
#include "server_parts.h"

namespace {

using namespace slipway;  // NOLINT: a main

// They wait for the disk, so their number has little to do with cores: it bounds how many uploads
// can share the syncs of one commit.
constexpr int kIoThreads = 32;

struct Configuration {
  cas::CasdConfig config;
  std::vector<base::ConfigField> values;
  bool shown = false;  // it was only asked for: nothing is to be started
};

absl::StatusOr<Configuration> ReadConfiguration(const base::cli::ServerFlags& flags,
                                                base::cli::Invocation& in) {
  Configuration read;
  SLIPWAY_ASSIGN_OR_RETURN(const base::cli::LoadedServerConfig loaded,
                           base::cli::LoadServerConfig(
                               flags, in,
                               [&](base::ConfigReader& reader) {
                                 cas::BindCasdConfig(reader, read.config);
                                 read.values = reader.values();
                               },
                               [&] { return cas::CheckCasdConfig(read.config); }));
  read.shown = loaded.shown;
  return read;
}

// The keys whose values differ and which only a start reads.
std::string KeysForARestart(const std::vector<base::ConfigField>& before,
                            const std::vector<base::ConfigField>& after) {
  const std::set<std::string> live = {"log.level", "log.format", "log.file"};
  std::map<std::string, std::pair<std::string, std::string>> values;
  for (const base::ConfigField& field : before) values[field.Key()].first = field.value;
  for (const base::ConfigField& field : after) values[field.Key()].second = field.value;
  std::vector<std::string> keys;
  for (const auto& [key, both] : values) {
    if (both.first != both.second && live.count(key) == 0) keys.push_back(key);
  }
  return absl::StrJoin(keys, ", ");
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

absl::Status RunProbe(const cas::CasdConfig& config, const std::string& address,
                      base::World& world) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::net::ChannelOptions options,
                           cas::ProbeOptions(config, address, world.files));
  return cas::Probe(options, world.files, world.clock.Wall(), kProbeTimeout);
}

// What SIGHUP asks for. What is wrong is refused and told; what it would replace stays in force.
void Reload(const Configuration& started, const base::cli::ServerFlags& flags,
            base::cli::Invocation& in, cas::Casd& casd, base::Gauge& success) {
  NotifyReloading(in.world);
  absl::StatusOr<Configuration> read = ReadConfiguration(flags, in);
  absl::Status status = read.status();
  if (read.ok()) status = SetUpLog(read->config, in.world.clock);
  success.Set(status.ok() ? 1 : 0);
  if (!status.ok()) {
    SLIPWAY_LOG(kError, "configuration refused; the one from before stays in force",
                {{"error", std::string(status.message())}});
  } else if (const std::string keys = KeysForARestart(started.values, read->values);
             !keys.empty()) {
    SLIPWAY_LOG(kWarn, "changed keys of the configuration need a restart", {{"keys", keys}});
  }
  const absl::Status files = casd.Reload();
  SLIPWAY_LOG(kInfo, "reloaded",
              {{"configuration", status.ok() ? "OK" : "refused"}, {"files", files.ToString()}});
  Notify(in.world, "READY=1");
}

absl::Status Serve(const Configuration& started, const base::cli::ServerFlags& flags,
                   base::cli::Invocation& in, Reloader& reloader) {
  const cas::CasdConfig& config = started.config;
  const std::string& ports_file = flags.ports_file();
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
  base::Gauge& reloaded = cas::AddReloadGauge(metrics);
  reloaded.Set(1);
  reloader.Set([&] { Reload(started, flags, in, *casd, reloaded); });
  const absl::Cleanup stop_reloads = [&reloader] { reloader.Set(nullptr); };
  if (!ports_file.empty()) {
    SLIPWAY_RETURN_IF_ERROR(base::cli::WritePortsFile(world.files, ports_file,
                                                      {{"cas", casd->port("cas")},
                                                       {"transport", casd->port("transport")},
                                                       {"admin", casd->port("admin")},
                                                       {"http", casd->port("http")}},
                                                      world.environment.ProcessId()));
  }
  Notify(world, absl::StrCat("READY=1\nSTATUS=serving on port ", casd->port("cas")));
  WaitFor(in.cancel);
  reloader.Set(nullptr);
  SLIPWAY_LOG(kInfo, "stopping", {{"reason", in.cancel.reason().text}});
  Notify(world, "STOPPING=1\nSTATUS=draining");
  casd->Drain();
  return absl::OkStatus();
}

}  // namespace

// The C library gives freed memory back to the kernel at once where it came in large pieces, or
// lies at the end of the heap, and gets it anew, page by page, for the next message. Up to so much
// is kept instead.
constexpr int kMappedBytesMin = 4 << 20;
constexpr int kKeptBytesMax = 16 << 20;

int main(int argc, char** argv) {
  mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
  mallopt(M_TRIM_THRESHOLD, kKeptBytesMax);
  ServerMain server_main;

  base::cli::ProgramOptions options;
  options.version = kVersion;
  options.exit_of = ServerExitOf;
  base::cli::Program program("zako-casd", "Serves a content-addressed store.", options);
  base::cli::Command& command = program.Add("", "Serve");
  base::cli::ServerFlags flags(command,
                               {.prefix = "ZAKO_CASD", .config_file = "/etc/zako/casd.yaml"});
  flags.AddKey(command, "--roles", "LIST", "roles", "Parts to serve: cas, transport, admin, http");
  command.Example("zako-casd --config /etc/zako/casd.yaml");
  command.Example("ZAKO_CASD__STORE__ROOT=/tmp/cas zako-casd", "for a try");
  command.Run([&](base::cli::Invocation& in) -> absl::Status {
    const absl::StatusOr<Configuration> read = ReadConfiguration(flags, in);
    if (!read.ok()) {
      in.exit_code = base::kExitUsage;  // whatever keeps the configuration from being read
      return read.status();
    }
    if (read->shown) return absl::OkStatus();
    if (flags.probe()) {
      const absl::Status status = RunProbe(read->config, flags.probe_address(), in.world);
      if (!status.ok()) in.exit_code = base::kExitFailure;
      return status;
    }
    return Serve(*read, flags, in, server_main.reloader());
  });
  return server_main.Run(program, argc, argv);
}
