#include "base/net/grpc/server.h"

#include <google/protobuf/descriptor.h>
#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/net/endpoint.h"
#include "base/net/grpc/acceptor.h"
#include "base/net/grpc/call_gate.h"
#include "base/net/grpc/credentials.h"
#include "base/net/grpc/grpc_service.h"
#include "base/net/grpc/health_service.h"
#include "base/net/grpc/library.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {
namespace {

// Clients may ping this often; more is answered with GOAWAY.
constexpr absl::Duration kClientPingsMin = absl::Seconds(5);
// What a grpc::Server may wait for; its clock is 64-bit nanoseconds.
constexpr absl::Duration kDrainMax = absl::Hours(24 * 365);

// How long a draining server is without a call before it closes the connections that are left.
constexpr absl::Duration kDrainIdle = absl::Milliseconds(200);
constexpr absl::Duration kDrainLook = absl::Milliseconds(10);
// How long calls may take to say why they end, when the time of the drain is over.
constexpr absl::Duration kStopGrace = absl::Milliseconds(500);

// What a client may send ahead on one stream: 100 ms of a path of 40 MB/s.
constexpr int kStreamWindowBytes = 4 << 20;
constexpr int kFrameBytes = 256 << 10;

// Of all listeners. Only reflection blocks threads: one for each stream that is open, and one that
// waits for the next. Over it: RESOURCE_EXHAUSTED.
constexpr int kReflectionThreads = 8;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), std::numeric_limits<int>::max()));
}

int Clamp(size_t bytes) {
  return static_cast<int>(std::min<size_t>(bytes, std::numeric_limits<int>::max()));
}

// Calls of methods that nobody has: UNIMPLEMENTED, and counted under "other", whatever they are
// called.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  explicit UnknownMethods(std::shared_ptr<CallGate> gate) : gate_(std::move(gate)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* /*context*/) override {
    class Reactor final : public grpc::ServerGenericBidiReactor {
     public:
      Reactor() {
        Finish({grpc::StatusCode::UNIMPLEMENTED, "start call: the server has no such method"});
      }
      void OnDone() override { delete this; }
    };
    gate_->Count(gate_->Find(""), absl::StatusCode::kUnimplemented);
    return new Reactor;
  }

 private:
  const std::shared_ptr<CallGate> gate_;
};

using OnNames = std::function<void(const std::vector<std::string>&)>;

// Tells the builder its plugins, which gRPC otherwise has for the whole process: reflection, and
// one that hears the names of the services before the first call.
class Plugins final : public grpc::ServerBuilderOption {
 public:
  Plugins(bool reflection, OnNames on_names)
      : reflection_(reflection), on_names_(std::move(on_names)) {}

  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    // The reflection library puts itself into each builder of the process.
    plugins->erase(std::remove_if(plugins->begin(), plugins->end(),
                                  [](const auto& plugin) {
                                    return plugin->name() == "proto_server_reflection";
                                  }),
                   plugins->end());
    if (reflection_) {
      plugins->push_back(std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>());
    }
    plugins->push_back(std::make_unique<Names>(on_names_));
  }

 private:
  class Names final : public grpc::ServerBuilderPlugin {
   public:
    explicit Names(OnNames on_names) : on_names_(std::move(on_names)) {}
    std::string name() override { return "slipway_names"; }
    void InitServer(grpc::ServerInitializer* initializer) override {
      on_names_(*initializer->GetServiceList());
    }
    void Finish(grpc::ServerInitializer* /*initializer*/) override {}
    void ChangeArguments(const std::string& /*name*/, void* /*value*/) override {}

   private:
    const OnNames on_names_;
  };

  const bool reflection_;
  const OnNames on_names_;
};

// The methods of the generated services; those made by hand list their own.
void AddMethods(const std::vector<std::string>& services, CallGate& gate) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const std::string& name : services) {
    const auto* service = pool->FindServiceByName(name);
    if (service == nullptr) continue;
    for (int i = 0; i < service->method_count(); ++i) {
      gate.AddMethod(absl::StrCat("/", name, "/", service->method(i)->name()));
    }
  }
}

// One listener: a grpc::Server of its own, since services belong to listeners.
struct Part {
  std::shared_ptr<grpc::ServerCredentials> credentials;  // outlive `server`
  std::unique_ptr<UnknownMethods> unknown;
  std::unique_ptr<HealthService> health;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<Acceptor> acceptor;  // hands to `server`
};

void SetLimits(const ServerOptions& options, const grpc::ResourceQuota& quota,
               grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(Clamp(options.message_bytes_max));
  builder.SetMaxSendMessageSize(Clamp(options.message_bytes_max));
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection_max);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kClientPingsMin));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Milliseconds(options.handshake_timeout));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(options.idle_timeout));
  // Fixed, for the window that gRPC measures grows without need on a fast network, and a stream
  // whose handler waits for the disk fills it: tens of MiB for one upload.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  // Without that measurement frames would stay at 16 KiB, which is twice the work a byte.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  // Refused before it is read: the limits count compressed bytes, and a thousand times as many may
  // come out of them, before anybody has asked who the caller is.
  if (!SLIPWAY_MUTANT("inflate-anything")) {
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  }
}

absl::StatusOr<std::vector<Endpoint>> ParseAddresses(const Listener& listener) {
  if (listener.addresses.empty()) {
    return absl::InvalidArgumentError("start server: a listener without an address; name one");
  }
  if (listener.tls != nullptr && listener.tls->current()->cert_pem.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("listen on ", listener.addresses[0],
                                                   ": TLS without a certificate; set tls.cert and "
                                                   "tls.key"));
  }
  std::vector<Endpoint> endpoints;
  for (const std::string& address : listener.addresses) {
    SLIPWAY_ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(address));
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

absl::Status StartPart(const Listener& listener, const ServerOptions& options,
                       const grpc::ResourceQuota& quota, Health& health, Counter* refused,
                       const std::shared_ptr<CallGate>& gate, Part& part) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Endpoint> endpoints, ParseAddresses(listener));
  grpc::ServerBuilder builder;
  SetLimits(options, quota, builder);
  part.unknown = std::make_unique<UnknownMethods>(gate);
  part.health = std::make_unique<HealthService>(health);
  std::vector<Service*> services = listener.services;
  services.push_back(part.health.get());
  for (Service* service : services) {
    Service::Raw& raw = service->raw();
    raw.gate = gate;
    for (const std::string& method : raw.methods) gate->AddMethod(method);
    builder.RegisterService(raw.service);
  }
  builder.RegisterCallbackGenericService(part.unknown.get());
  builder.SetOption(std::make_unique<Plugins>(
      options.reflection, [&part, &gate](const std::vector<std::string>& names) {
        part.health->AddNames(names);
        AddMethods(names, *gate);
      }));
  part.credentials = MakeCredentials(listener.tls);
  auto sink = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, part.credentials);
  SLIPWAY_ASSIGN_OR_RETURN(part.acceptor, Acceptor::Listen(endpoints, refused));
  part.server = builder.BuildAndStart();
  if (part.server == nullptr) {
    return absl::InternalError(absl::StrCat("start server on ", listener.addresses[0],
                                            ": gRPC refuses; log.level debug says why"));
  }
  part.acceptor->Start(std::move(sink));
  return absl::OkStatus();
}

class RealServer final : public Server {
 public:
  RealServer(std::vector<std::unique_ptr<Part>> parts, std::shared_ptr<CallGate> gate)
      : parts_(std::move(parts)), gate_(std::move(gate)) {}
  ~RealServer() override { Drain(absl::ZeroDuration()); }

  int port(size_t listener_index) const override {
    SLIPWAY_CHECK(listener_index < parts_.size());
    return parts_[listener_index]->acceptor->port();
  }

  void Drain(absl::Duration timeout) override {
    MutexLock lock(mutex_);  // a second caller waits for the first
    if (drained_) return;
    drained_ = true;
    const absl::Time deadline = absl::Now() + std::clamp(timeout, absl::ZeroDuration(), kDrainMax);
    for (const auto& part : parts_) part->health->Close();
    for (const auto& part : parts_) part->acceptor->Stop();
    // Each waits for its calls, and all shall say GOAWAY now.
    std::atomic<size_t> running = parts_.size();
    std::vector<std::thread> threads;
    for (const auto& part : parts_) {
      threads.emplace_back([&part, deadline, &running] {
        part->server->Shutdown(absl::ToChronoTime(deadline + kStopGrace));
        running.fetch_sub(1);
      });
    }
    EndCalls(deadline - absl::Now(), running);
    for (std::thread& thread : threads) thread.join();
  }

 private:
  // When the time is over the calls that still run end themselves.
  //
  // A client answers GOAWAY only while it looks at its connection, and one of gRPC's own without a
  // call looks every five seconds. When no call has run for a while, nobody waits for that.
  void EndCalls(absl::Duration left, const std::atomic<size_t>& running) {
    using Steady = std::chrono::steady_clock;  // a drain is no longer when the time of day is set
    Steady::time_point idle_since = Steady::now();
    const Steady::time_point stop_at = idle_since + absl::ToChronoMilliseconds(left);
    while (running.load() > 0) {
      std::this_thread::sleep_for(absl::ToChronoMilliseconds(kDrainLook));
      if (Steady::now() >= stop_at) gate_->Stop();
      if (gate_->calls() > 0) idle_since = Steady::now();
      if (Steady::now() - idle_since < absl::ToChronoMilliseconds(kDrainIdle)) continue;
      for (const auto& part : parts_) grpc_server_cancel_all_calls(part->server->c_server());
    }
  }

  const std::vector<std::unique_ptr<Part>> parts_;
  const std::shared_ptr<CallGate> gate_;
  Mutex mutex_;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::Status Server::TryListen(const std::vector<std::string>& addresses) {
  std::vector<Endpoint> endpoints;
  for (const std::string& address : addresses) {
    SLIPWAY_ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(address));
    endpoints.push_back(std::move(endpoint));
  }
  return Acceptor::Listen(endpoints, /*refused=*/nullptr).status();
}

Owned<Server> Server::Start(const std::vector<Listener>& listeners, const ServerOptions& options,
                            Health& health, Metrics& metrics) {
  InitGrpc();
  auto gate = std::make_shared<CallGate>(options.calls_max, metrics, options.metric_prefix);
  grpc::ResourceQuota quota("slipway");
  quota.Resize(options.memory_bytes_max);
  quota.SetMaxThreads(kReflectionThreads);
  Counter* const refused =
      options.metric_prefix.empty()
          ? nullptr
          : &metrics.AddCounter(
                absl::StrCat(options.metric_prefix, "_rpc_refused_connections_total"),
                "gRPC connections closed because file descriptors are short.");
  std::vector<std::unique_ptr<Part>> parts;
  for (const Listener& listener : listeners) {
    auto part = std::make_unique<Part>();
    const absl::Status started = StartPart(listener, options, quota, health, refused, gate, *part);
    if (!started.ok()) {
      const RealServer begun(std::move(parts), gate);  // ends the listeners before this one
      return started;
    }
    parts.push_back(std::move(part));
  }
  return std::make_unique<RealServer>(std::move(parts), std::move(gate));
}

}  // namespace slipway::base::net
