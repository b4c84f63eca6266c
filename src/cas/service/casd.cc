#include "cas/service/casd.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/net/endpoint.h"
#include "base/net/grpc/server.h"
#include "base/net/health.h"
#include "base/net/http/server.h"
#include "base/net/listen_addresses.h"
#include "base/sync/mutex.h"
#include "base/sync/ticker.h"
#include "cas/service/services.h"
#include "cas/service/startup.h"

namespace slipway::cas {
namespace {

using base::net::HttpRequest;
using base::net::HttpResponse;

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr size_t kMessageBytesMax = 4 << 20;
constexpr char kPrefix[] = "zako";

HttpResponse JsonResponse(const base::Json& json) {
  HttpResponse response;
  response.content_type = "application/json";
  response.body = json.Dump() + "\n";
  return response;
}

absl::Status WithListenHint(const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return status;
  return base::WithInfo(status, {"", "addresses and ports are set by listen.*"});
}

class CasdImpl final : public Casd {
 public:
  CasdImpl(const CasdConfig& config, base::World& world, base::Loop& loop, base::Pool& io_pool,
           base::Metrics& metrics, const BuildInfo& build);
  ~CasdImpl() override;

  absl::Status Open(const MakeIndex& make_index);
  int port(absl::string_view role) const override;
  absl::Status Reload() override;
  void Drain() override;

 private:
  bool Has(absl::string_view role) const {
    return std::find(config_.roles.begin(), config_.roles.end(), role) != config_.roles.end();
  }
  absl::Status OpenSecurity();
  absl::Status StartGrpc();
  absl::Status StartHttp();
  absl::StatusOr<base::net::Listener> MakeListener(const std::string& address,
                                                   const std::vector<std::string>& roles);
  base::net::HttpRouter MakeRouter();
  base::Json StatusJson();
  void Tick();
  void CheckHealth();

  const CasdConfig config_;
  base::World& world_;
  base::Loop& loop_;
  base::Pool& io_pool_;
  base::Metrics& metrics_;
  const std::string version_;

  IoMetrics io_metrics_;
  AuthMetrics auth_metrics_;
  TransferMetrics transfer_metrics_;
  ScrubMetrics scrub_metrics_;
  base::net::Health health_;
  Governor governor_;
  Tokens tokens_;
  Requests requests_;
  Buffers buffers_;
  std::unique_ptr<KeysFile> keys_;
  std::unique_ptr<base::AuditLog> audit_;
  std::unique_ptr<DiskStore> store_;
  std::optional<Authority> authority_;
  std::shared_ptr<base::net::TlsWatcher> tls_;
  // Its end waits for the jobs, which use all of the above.
  std::optional<MeteredPool> pool_;
  std::unique_ptr<ServiceParts> parts_;
  std::vector<std::unique_ptr<base::net::Service>> services_;
  std::unique_ptr<base::net::Server> server_;
  std::unique_ptr<base::net::HttpServer> http_;
  std::optional<base::Ticker> ticker_;
  std::map<std::string, size_t> listener_of_;  // role
  std::atomic<int> transport_port_{0};
  std::atomic<bool> checking_{false};  // a job of CheckHealth is on its way
  std::atomic<int64_t> checking_since_ns_{0};
  std::string keys_error_;  // of CheckHealth, told once
  base::Mutex mutex_;
  base::CondVar never_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

Buffers::Options BufferOptions(const CasdConfig& config) {
  Buffers::Options options;
  options.full_bytes = static_cast<size_t>(config.transport_chunk_bytes);
  options.small_bytes = std::min(options.small_bytes, options.full_bytes);
  options.budget_bytes = std::max(options.budget_bytes, 2 * options.full_bytes);
  return options;
}

CasdImpl::CasdImpl(const CasdConfig& config, base::World& world, base::Loop& loop,
                   base::Pool& io_pool, base::Metrics& metrics, const BuildInfo& build)
    : config_(config),
      world_(world),
      loop_(loop),
      io_pool_(io_pool),
      metrics_(metrics),
      version_(build.version),
      io_metrics_(metrics),
      auth_metrics_(metrics),
      transfer_metrics_(metrics),
      scrub_metrics_(metrics),
      governor_(Cores(config.recommended_concurrency, world), config.overload_delay, world.clock,
                &metrics.AddGauge("zako_recommended_concurrency",
                                  "Streams that clients are advised to open.")),
      tokens_({.ttl = config.token_ttl,
               .once = config.token_reuse == CasdConfig::TokenReuse::kOnce,
               .tokens_max = static_cast<size_t>(config.tokens_max)},
              world.clock, world.random),
      requests_(world.clock),
      buffers_(BufferOptions(config)) {
  metrics
      .AddGauge("zako_build_info", "What this process was built from.",
                {{"version", version_}, {"commit", build.commit}})
      .Set(1);
}

CasdImpl::~CasdImpl() {
  ticker_.reset();
  if (tls_ != nullptr) tls_->Stop();
  http_.reset();
  server_.reset();
  pool_.reset();  // waits for the jobs that are left, while all they use is there
}

absl::Status CasdImpl::OpenSecurity() {
  if (!config_.auth_keys_file.empty()) {
    keys_ = std::make_unique<KeysFile>(world_.files, config_.auth_keys_file);
    SLIPWAY_RETURN_IF_ERROR(ConfigError("auth.keys_file", keys_->Reload()));
  }
  if (!config_.tls.cert.empty()) {
    auto watcher = base::net::TlsWatcher::Start(config_.tls, world_.files, world_.clock, loop_,
                                                io_pool_, metrics_, kPrefix);
    if (!watcher.ok()) return ConfigError("tls", watcher.status());
    tls_ = *std::move(watcher);
  }
  if (!config_.audit_file.empty()) {
    auto audit = base::AuditLog::Open(world_.files, config_.audit_file, world_.clock);
    if (!audit.ok()) return ConfigError("log.audit_file", audit.status());
    audit_ = *std::move(audit);
  }
  authority_.emplace(Authority::Options{config_.auth_mode, config_.require_token}, tokens_,
                     keys_.get(), auth_metrics_);
  return absl::OkStatus();
}

absl::Status CasdImpl::Open(const MakeIndex& make_index) {
  SLIPWAY_RETURN_IF_ERROR(OpenSecurity());
  auto store = OpenDiskStore(config_.store_root, config_.store, world_.files, world_.clock,
                             io_pool_, metrics_, make_index);
  if (!store.ok()) return StorageError(store.status(), config_.store_root, world_);
  store_ = *std::move(store);
  health_.Set("storage", true);
  pool_.emplace(io_pool_, world_.clock, governor_, io_metrics_);
  SLIPWAY_ASSIGN_OR_RETURN(const SocketAddress advertise, AdvertisedAddress(config_));
  parts_.reset(new ServiceParts{*store_, *authority_, governor_, requests_, buffers_, audit_.get(),
                                *pool_, loop_, world_.clock, transfer_metrics_, scrub_metrics_,
                                Cores(config_.buffered_io_count, world_), advertise,
                                transport_port_, version_, world_.clock.Monotonic()});
  SLIPWAY_RETURN_IF_ERROR(StartGrpc());
  if (Has("http")) SLIPWAY_RETURN_IF_ERROR(StartHttp());
  ticker_.emplace(loop_, std::min(kTick, config_.idle_timeout / 4), [this] { Tick(); });
  health_.SetPhase(base::net::Health::Phase::kServing);
  SLIPWAY_LOG(kInfo, "serving",
              {{"roles", absl::StrJoin(config_.roles, ",")},
               {"cas", port("cas")},
               {"transport", port("transport")},
               {"http", port("http")},
               {"version", version_}});
  return absl::OkStatus();
}

absl::StatusOr<base::net::Listener> CasdImpl::MakeListener(const std::string& address,
                                                           const std::vector<std::string>& roles) {
  base::net::Listener listener;
  SLIPWAY_ASSIGN_OR_RETURN(listener.addresses,
                           base::net::ListenAddresses(address, tls_ != nullptr, world_.files));
  listener.tls = tls_;
  for (const std::string& role : roles) {
    services_.push_back(role == "cas"         ? MakeCasService(*parts_)
                        : role == "transport" ? MakeTransportService(*parts_)
                                              : MakeAdminService(*parts_));
    listener.services.push_back(services_.back().get());
  }
  return listener;
}

absl::Status CasdImpl::StartGrpc() {
  // A client that is told no address of the transport takes that of the CAS, so that one has it
  // too.
  const bool shared = config_.listen_cas == config_.listen_transport;
  std::vector<std::string> on_cas;
  for (const absl::string_view role : {"cas", "transport", "admin"}) {
    const bool elsewhere = role == "transport" && !Has("cas") && !shared;
    if (Has(role) && !elsewhere) on_cas.emplace_back(role);
  }
  std::vector<base::net::Listener> listeners;
  if (!on_cas.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(auto listener, MakeListener(config_.listen_cas, on_cas));
    for (const std::string& role : on_cas) listener_of_[role] = listeners.size();
    listeners.push_back(std::move(listener));
  }
  if (Has("transport") && !shared) {
    SLIPWAY_ASSIGN_OR_RETURN(auto listener, MakeListener(config_.listen_transport, {"transport"}));
    listener_of_["transport"] = listeners.size();
    listeners.push_back(std::move(listener));
  }
  if (listeners.empty()) return absl::OkStatus();
  base::net::ServerOptions options;
  options.message_bytes_max = kMessageBytesMax;
  options.calls_max = config_.streams_max;
  options.streams_per_connection_max = config_.streams_max;
  options.keepalive = config_.keepalive;
  options.metric_prefix = kPrefix;
  auto server = base::net::Server::Start(listeners, options, health_, metrics_);
  if (!server.ok()) return WithListenHint(server.status());
  server_ = *std::move(server);
  transport_port_ = port("transport");
  return absl::OkStatus();
}

absl::Status CasdImpl::StartHttp() {
  base::net::HttpServerOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(
      options.addresses,
      base::net::ListenAddresses(config_.listen_http, tls_ != nullptr, world_.files));
  options.tls = tls_;
  options.metric_prefix = kPrefix;
  auto server = base::net::HttpServer::Start(options, MakeRouter(), *pool_, metrics_);
  if (!server.ok()) return WithListenHint(server.status());
  http_ = *std::move(server);
  return absl::OkStatus();
}

base::Json CasdImpl::StatusJson() {
  base::Json json = base::Json::MakeObject({{"version", version_}});
  json.Set("roles", absl::StrJoin(config_.roles, ","));
  json.Set("uptime_s", absl::ToInt64Seconds(world_.clock.Monotonic() - parts_->started_at));
  json.Set("ready", health_.ready());
  json.Set("buffered_io_count", parts_->parallel);
  json.Set("recommended_concurrency", governor_.recommended());
  json.Set("requests", static_cast<uint64_t>(requests_.size()));
  json.Set("tokens", static_cast<uint64_t>(tokens_.active()));
  if (const auto stats = store_->Stats(); stats.ok()) {
    json.Set("blobs", stats->blobs);
    json.Set("stored_bytes", stats->stored_bytes);
  }
  return json;
}

base::net::HttpRouter CasdImpl::MakeRouter() {
  base::net::HttpRouter router;
  base::net::AddHealthRoutes(router, health_, metrics_);
  router.Add("GET", "/status", [this](const HttpRequest&) { return JsonResponse(StatusJson()); });
  router.Add("GET", "/debug/requests", [this](const HttpRequest& request) {
    const auto caller = authority_->Caller(request.call, Role::kAdmin);
    if (!caller.ok()) return base::net::HttpError(caller.status());
    return JsonResponse(requests_.ToJson());
  });
  return router;
}

void CasdImpl::Tick() {
  requests_.ExpireIdle(config_.idle_timeout);
  governor_.recommended();  // recovers, and tells its metric
  auth_metrics_.active.Set(static_cast<double>(tokens_.active()));
  const int64_t now_ns = absl::ToInt64Nanoseconds(world_.clock.Monotonic());
  if (checking_.exchange(true)) {
    if (absl::Nanoseconds(now_ns - checking_since_ns_) > config_.storage_answer_max) {
      health_.Set("storage", false, "the storage does not answer");
    }
    return;
  }
  checking_since_ns_ = now_ns;
  if (!pool_->Submit([this] { CheckHealth(); }).ok()) checking_ = false;
}

// On the pool: what reads files.
void CasdImpl::CheckHealth() {
  if (keys_ != nullptr) {
    const std::string error(keys_->Reload().message());
    if (!error.empty() && error != keys_error_) {
      SLIPWAY_LOG(kWarn, "keys file refused; the keys from before stay in force",
                  {{"error", error}});
    }
    keys_error_ = error;
  }
  const absl::Status storage = store_->Check(Digest{}).status();
  health_.Set("storage", storage.ok(), storage.ok() ? "" : "the storage fails; see the log");
  checking_ = false;
}

int CasdImpl::port(absl::string_view role) const {
  if (role == "http") return http_ == nullptr ? 0 : http_->port();
  const auto found = listener_of_.find(std::string(role));
  return found == listener_of_.end() || server_ == nullptr ? 0 : server_->port(found->second);
}

absl::Status CasdImpl::Reload() {
  absl::Status result;
  if (tls_ != nullptr) result.Update(tls_->Reload());
  if (keys_ != nullptr) result.Update(keys_->Reload());
  return result;
}

void CasdImpl::Drain() {
  {
    base::MutexLock lock(mutex_);
    if (draining_) return;
    draining_ = true;
  }
  health_.SetPhase(base::net::Health::Phase::kDraining);
  SLIPWAY_LOG(kInfo, "draining",
              {{"requests", requests_.size()},
               {"lame_duck", absl::FormatDuration(config_.lame_duck)},
               {"drain_timeout", absl::FormatDuration(config_.drain_timeout)}});
  {
    // Load balancers see that it is not ready, and go elsewhere before calls are refused.
    base::MutexLock lock(mutex_);
    const absl::Duration until = world_.clock.Monotonic() + config_.lame_duck;
    for (absl::Duration left = config_.lame_duck; left > absl::ZeroDuration();
         left = until - world_.clock.Monotonic()) {
      never_.WaitFor(mutex_, left);
    }
  }
  if (server_ != nullptr) server_->Drain(config_.drain_timeout);
  if (http_ != nullptr) http_->Drain(absl::Seconds(1));
  SLIPWAY_LOG(kInfo, "drained", {{"requests_left", requests_.size()}});
}

}  // namespace

base::Gauge& AddReloadGauge(base::Metrics& metrics) {
  return metrics.AddGauge("zako_config_reload_success",
                          "1: the configuration that was read last is in force.");
}

base::Owned<Casd> Casd::Start(const CasdConfig& config, base::World& world, base::Loop& loop,
                              base::Pool& io_pool, base::Metrics& metrics,
                              const MakeIndex& make_index, const BuildInfo& build) {
  SLIPWAY_RETURN_IF_ERROR(CheckCasdConfig(config));
  auto casd = std::make_unique<CasdImpl>(config, world, loop, io_pool, metrics, build);
  SLIPWAY_RETURN_IF_ERROR(casd->Open(make_index));
  return casd;
}

}  // namespace slipway::cas
