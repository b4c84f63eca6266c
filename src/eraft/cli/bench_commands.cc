#include "eraft/cli/bench_commands.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "eraft/bench/load.h"
#include "eraft/bench/pipeline_load.h"
#include "eraft/bench/report.h"
#include "eraft/bench/unary_load.h"
#include "eraft/bench/workload.h"
#include "eraft/cli/eraftctl.h"
#include "eraft/client/connect.h"
#include "eraft/client/unary_calls.h"

namespace slipway::eraft::cli {
namespace {

using base::cli::Invocation;

constexpr int64_t kRequestsMax = 1'000'000'000;
constexpr int64_t kClientsMax = 100'000;
constexpr int64_t kConnectionsMax = 1'000;
constexpr uint64_t kBenchConnectionsMax = 8;  // of `kvclient bench`: enough for any client machine
constexpr uint64_t kProgressEvery = 100;
constexpr char kLoadGroup[] = "Load";

absl::Status Show(const bench::Report& report, uint64_t clients, Invocation& in) {
  if (in.json) {
    const absl::Time boot = in.world.clock.Wall() - in.world.clock.Monotonic();
    in.result = bench::ResultsJson(report, clients, boot);
  } else {
    in.streams.out << bench::ResultsText(report, clients) << std::flush;
  }
  if (report.succeeded() > 0) return absl::OkStatus();
  return absl::UnavailableError("bench: nothing succeeded");
}

absl::StatusOr<uint64_t> CountOf(absl::string_view name, const std::string& text, int64_t max) {
  int64_t count = 0;
  if (absl::SimpleAtoi(text, &count) && count >= 1 && count <= max) {
    return static_cast<uint64_t>(count);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("bench: ", name, " is a number from 1 to ", max, ", not \"", text, "\""));
}

absl::Status RunUnary(const client::ConnectOptions& connect, bench::UnaryLoadOptions options,
                      const bench::LoadOptions& load_options, bench::Workload& workload,
                      std::function<void(uint64_t)> progress, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto calls,
      client::UnaryCalls::Open(connect, options.api, options.connections, in.world));
  bench::Pulse pulse(load_options.pause_min);
  bench::Load load(load_options, in.world.clock, workload, pulse, std::move(progress));
  options.addresses = connect.addresses;
  options.clients = load_options.clients;
  bench::UnaryLoad run(std::move(options), load, *calls, in.world.clock, in.world.random);
  SLIPWAY_RETURN_IF_ERROR(run.Run(in.cancel));
  bench::Report report = load.report();
  report.pauses = pulse.pauses();
  return Show(report, load_options.clients, in);
}

// ---- kvclient bench ----

struct BenchFlags {
  std::string requests, clients = "1";
};

absl::Status RunBench(const BenchFlags& flags, const ConnectionFlags& connection, Invocation& in) {
  const auto usage = [&in](const absl::Status& status) {
    in.exit_code = base::kExitUsage;
    return status;
  };
  const auto requests = CountOf("num", flags.requests, kRequestsMax);
  if (!requests.ok()) return usage(requests.status());
  const auto clients = CountOf("clients", flags.clients, kClientsMax);
  if (!clients.ok()) return usage(clients.status());
  const auto connect = connection.Resolve(in);
  if (!connect.ok()) return usage(connect.status());

  const bool text = !in.json;
  if (text) in.streams.out << bench::StartText(*requests, *clients) << std::flush;
  bench::ReferenceKeys workload(in.world.random.Next());
  const bench::LoadOptions load = {.clients = *clients, .requests = *requests, .shares = true};
  bench::UnaryLoadOptions options;
  options.connections = static_cast<int>(std::min(*clients, kBenchConnectionsMax));
  options.timeout = connection.limit();
  return RunUnary(
      *connect, std::move(options), load, workload,
      [&in, text](uint64_t answered) {
        if (!text || in.quiet || answered % kProgressEvery != 0) return;
        in.streams.out << bench::ProgressText(answered) << std::flush;
      },
      in);
}

// ---- eraft_bench, pipeline ----

// One connection with its share of the load, on its own loop.
struct Part {
  std::unique_ptr<bench::Workload> workload;
  std::unique_ptr<bench::Load> load;
  std::unique_ptr<client::Client> client;
  std::unique_ptr<bench::PipelineLoad> run;
  std::unique_ptr<base::Loop> loop;
};

// How many parts are not over yet.
struct Open {
  base::Mutex mutex;
  base::CondVar changed;
  size_t parts ABSL_GUARDED_BY(mutex) = 0;
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
};

void WaitFor(Open& open, const base::CancelToken& cancel) {
  const std::shared_ptr<void> registered = cancel.OnCancel([&open] {
    const base::MutexLock lock(open.mutex);
    open.cancelled = true;
    open.changed.NotifyAll();
  });
  const base::MutexLock lock(open.mutex);
  while (open.parts > 0 && !open.cancelled) open.changed.Wait(open.mutex);
}

}  // namespace

void AddBenchCommand(base::cli::Program& program, ConnectionFlags& connection) {
  auto flags = std::make_shared<BenchFlags>();
  base::cli::Command& command = program.Add("bench", "Measures puts of new keys");
  command.Description(
      "Each client sends its share of the requests, one after the other, over the API of the "
      "reference. Latencies are measured, request by request; errors are counted by kind.");
  command.Example("kvclient bench 1000 10", "1000 requests by 10 clients at a time");
  command.Argument("NUM", &flags->requests, "Requests in all").Required();
  command.Argument("CLIENTS", &flags->clients, "Clients at a time (without: 1)");
  connection.Declare(command);
  command.Run([flags, &connection](Invocation& in) { return RunBench(*flags, connection, in); });
}

struct BenchProgram::Flags {
  ConnectionFlags connection;
  MakeLoop make_loop;
  std::string api = "pipeline", op = "put", read_mode = "default";
  uint64_t clients = 64, pipeline = 0, connections = 1, requests = 0, value_bytes = 256;
  uint64_t keys = 20'000;
  int reads_percent = 50, rate = 0;
  bool in_order = false;
  absl::Duration duration = absl::Seconds(10), warm_up = absl::ZeroDuration();
  absl::Duration pause_min = absl::Milliseconds(100);

  void Declare(base::cli::Command& command);
  absl::Status Run(Invocation& in);

 private:
  // What part `part` of `parts` does.
  bench::LoadOptions LoadOf(uint64_t part, uint64_t parts) const;
  bench::NamedKeysOptions KeysOf(uint64_t part, uint64_t parts, Invocation& in) const;
  client::ReadFrom read_from() const;
  absl::Status RunPipeline(const client::ConnectOptions& connect, Invocation& in);
  absl::Status AddPart(const client::ConnectOptions& connect, uint64_t number, bench::Pulse& pulse,
                       std::vector<Part>& parts, Invocation& in) const;
};

void BenchProgram::Flags::Declare(base::cli::Command& command) {
  connection.Declare(command);
  command.Choice("--api", "API", &api, {"pipeline", "legacy", "etcd"}, "pipeline, legacy or etcd")
      .Group(kLoadGroup);
  command.Choice("--op", "OP", &op, {"put", "get", "mixed"}, "put, get or mixed").Group(kLoadGroup);
  command.Int("--clients", "N", &clients, 1, kClientsMax, "Requests under way at a time (64)")
      .Group(kLoadGroup);
  command
      .Int("--pipeline", "N", &pipeline, 1, kClientsMax,
           "As --api pipeline with so many commands under way")
      .Group(kLoadGroup);
  command
      .Int("--connections", "N", &connections, 1, kConnectionsMax,
           "That share the clients; of the pipeline API each has its own session (1)")
      .Group(kLoadGroup);
  command.Int("--requests", "N", &requests, 1, kRequestsMax, "So many, however long it takes")
      .Group(kLoadGroup);
  command.Duration("--duration", "TIME", &duration, "So long (10s)").Group(kLoadGroup);
  command.Duration("--warm-up", "TIME", &warm_up, "Before, and not measured (0)").Group(kLoadGroup);
  command
      .Int("--rate", "N", &rate, 1, kRequestsMax,
           "Requests a second that fall due, whatever the servers do; without: as fast as they "
           "answer")
      .Group(kLoadGroup);
  command.Int("--keys", "N", &keys, 1, kRequestsMax, "Names of keys (20000)").Group(kLoadGroup);
  command.Flag("--in-order", &in_order, "Key after key, to fill a store").Group(kLoadGroup);
  command.Size("--value-size", "SIZE", &value_bytes, "Bytes of a value (256)").Group(kLoadGroup);
  command
      .Int("--read-percent", "N", &reads_percent, 0, 100, "Gets among the requests of mixed (50)")
      .Group(kLoadGroup);
  command
      .Choice("--read-mode", "MODE", &read_mode, {"default", "quorum", "lease", "serializable"},
              "How gets are answered: default, quorum, lease, serializable (of etcd: the last)")
      .Group(kLoadGroup);
  command
      .Duration("--pause-min", "TIME", &pause_min,
                "Times without any success of at least so long are told (100ms)")
      .Group(kLoadGroup);
}

bench::LoadOptions BenchProgram::Flags::LoadOf(uint64_t part, uint64_t parts) const {
  const auto share = [part, parts](uint64_t whole) {
    return whole / parts + (part < whole % parts ? 1 : 0);
  };
  bench::LoadOptions load;
  load.clients = std::max<uint64_t>(1, share(clients));
  load.requests = requests > 0 ? std::max<uint64_t>(1, share(requests)) : 0;
  load.duration = duration;
  load.warm_up = warm_up;
  load.rate = static_cast<double>(rate) / static_cast<double>(parts);
  load.pause_min = pause_min;
  return load;
}

bench::NamedKeysOptions BenchProgram::Flags::KeysOf(uint64_t part, uint64_t parts,
                                                    Invocation& in) const {
  return {.keys = keys,
          .value_bytes = value_bytes,
          .reads_percent = op == "put"   ? 0
                           : op == "get" ? 100
                                         : reads_percent,
          .in_order = in_order,
          .first = part,
          .step = parts,
          .seed = in.world.random.Next()};
}

client::ReadFrom BenchProgram::Flags::read_from() const {
  if (read_mode == "quorum") return client::ReadFrom::kQuorum;
  if (read_mode == "lease") return client::ReadFrom::kLease;
  if (read_mode == "serializable") return client::ReadFrom::kSerializable;
  return client::ReadFrom::kDefault;
}

absl::Status BenchProgram::Flags::Run(Invocation& in) {
  const auto connect = connection.Resolve(in);
  if (!connect.ok()) {
    in.exit_code = base::kExitUsage;
    return connect.status();
  }
  if (pipeline > 0) {
    api = "pipeline";
    clients = pipeline;
  }
  if (api == "pipeline") return RunPipeline(*connect, in);
  bench::NamedKeys workload(KeysOf(0, 1, in));
  bench::UnaryLoadOptions options;
  options.api = api == "etcd" ? client::UnaryApi::kEtcd : client::UnaryApi::kLegacy;
  options.connections = static_cast<int>(connections);
  options.timeout = connection.limit();
  options.serializable = read_mode == "serializable";
  return RunUnary(*connect, std::move(options), LoadOf(0, 1), workload, nullptr, in);
}

absl::Status BenchProgram::Flags::AddPart(const client::ConnectOptions& connect, uint64_t number,
                                          bench::Pulse& pulse, std::vector<Part>& parts,
                                          Invocation& in) const {
  Part part;
  part.loop = make_loop(absl::StrCat("bench-", number));
  SLIPWAY_ASSIGN_OR_RETURN(part.client, client::Connect(connect, *part.loop, in.world));
  part.workload = std::make_unique<bench::NamedKeys>(KeysOf(number, connections, in));
  part.load = std::make_unique<bench::Load>(LoadOf(number, connections), in.world.clock,
                                            *part.workload, pulse);
  part.run = std::make_unique<bench::PipelineLoad>(*part.load, *part.client, *part.loop,
                                                   read_from(), connection.limit());
  parts.push_back(std::move(part));
  return absl::OkStatus();
}

absl::Status BenchProgram::Flags::RunPipeline(const client::ConnectOptions& connect,
                                              Invocation& in) {
  Open open;
  bench::Pulse pulse(pause_min);
  std::vector<Part> parts;
  for (uint64_t i = 0; i < connections; ++i) {
    SLIPWAY_RETURN_IF_ERROR(AddPart(connect, i, pulse, parts, in));
  }
  {
    const base::MutexLock lock(open.mutex);
    open.parts = parts.size();
  }
  for (Part& part : parts) {
    part.loop->Post([&open, run = part.run.get()] {
      run->Start([&open] {
        const base::MutexLock lock(open.mutex);
        --open.parts;
        open.changed.NotifyAll();
      });
    });
  }
  WaitFor(open, in.cancel);
  bench::Report report;
  for (Part& part : parts) {
    part.loop->Post([run = part.run.get()] { run->Stop(); });
    part.client->Close();  // behind it on the loop
    part.loop.reset();
    report.Add(part.load->report());
  }
  SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
  report.pauses = pulse.pauses();
  return Show(report, clients, in);
}

BenchProgram::BenchProgram(const std::string& version, MakeLoop make_loop)
    : flags_(std::make_unique<Flags>()) {
  flags_->make_loop = std::move(make_loop);
  base::cli::ProgramOptions options;
  options.version = version;
  options.exit_of = ExitCodeOf;
  options.go_style = true;
  program_ = std::make_unique<base::cli::Program>(
      "eraft_bench", "Puts a load on a key-value cluster and measures what comes of it.",
      std::move(options));
  program_->globals().Example("eraft_bench -pipeline 256 -duration 10s",
                              "256 commands under way over one stream");
  program_->globals().Example("eraft_bench -api legacy -op mixed -clients 64 -connections 8");
  program_->globals().Example("eraft_bench -api etcd -addrs localhost:2379 -rate 1000 --json",
                              "etcd, at a rate that does not depend on its answers");
  base::cli::Command& run = program_->Add("", "Puts a load on a cluster");
  flags_->Declare(run);
  run.Run([this](Invocation& in) { return flags_->Run(in); });
}

BenchProgram::~BenchProgram() = default;

}  // namespace slipway::eraft::cli
