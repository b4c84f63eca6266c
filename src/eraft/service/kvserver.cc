#include "eraft/service/kvserver.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/config/secret.h"
#include "base/log/log.h"
#include "base/net/listen_addresses.h"
#include "eraft/node/features.h"
#include "eraft/service/kvserver_impl.h"
#include "eraft/service/limits.h"
#include "eraft/store/leveldb_engine.h"
#include "eraft/store/memory_engine.h"
#include "eraft/store/rocksdb_engine.h"
#include "eraft/transport/link/incarnations.h"

namespace slipway::eraft {
namespace {

constexpr char kPrefix[] = "eraft";
constexpr absl::Duration kStartAgainAfter = absl::Milliseconds(200);  // without room
constexpr char kAfterFailure[] =
    "look at the disk, then start it with the same line: it reads what it has, and says what to do "
    "if that is damaged";
constexpr int kOtherCalls = 1000;  // health, administration, streams of pipelines

// An error of a file that a key of the configuration names.
absl::Status ConfigError(absl::string_view flag, const absl::Status& status) {
  if (status.ok() || absl::IsPermissionDenied(status)) return base::Annotate(status, flag);
  return base::MakeError(absl::StatusCode::kInvalidArgument,
                         absl::StrCat(flag, ": ", status.message()), base::GetErrorInfo(status));
}

absl::Status ListenError(const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return status;
  return base::WithInfo(status,
                        {"", "addresses are set by --listen, --peer-listen, --http-listen"});
}

std::unique_ptr<EngineHome> MakeHome(const KvServerConfig& config, const DataDirectory& data) {
  RocksDbOptions storage = config.storage;
  storage.free_bytes = [dir = data.dir.get()] {
    const auto space = dir->FreeSpace();
    return space.ok() ? space->free_bytes : std::numeric_limits<uint64_t>::max();
  };
  switch (config.engine) {
    case EngineKind::kRocksDb:
      return RocksDbHome(data.path, storage);
    case EngineKind::kLevelDb: {
      LevelDbOptions options;
      options.block_cache_bytes = storage.block_cache_bytes;
      options.write_buffer_bytes = storage.write_buffer_bytes;
      options.snappy = storage.compression != Compression::kNone;
      options.bloom_bits = storage.bloom_bits;
      options.free_bytes = std::move(storage.free_bytes);
      return LevelDbHome(data.path, *data.dir, options);
    }
    case EngineKind::kMemory:
      break;
  }
  return MemoryHome(data.dir.get());
}

std::vector<PeerAddress> PeersOf(const Addresses& addresses) {
  std::vector<PeerAddress> peers;
  for (const auto& [id, address] : addresses) peers.push_back({id, address});
  return peers;
}

}  // namespace

KvServerImpl::KvServerImpl(const KvServerConfig& config, const KvServerPlan& plan,
                           KvServerWorld world)
    : config_(config),
      plan_(plan),
      world_(std::move(world)),
      loop_(world_.loop),
      clock_(world_.world.clock),
      started_at_(clock_.Monotonic()),
      metrics_(world_.metrics),
      log_level_(config.log_level),
      heartbeat_(config.heartbeat_interval),
      election_(config.election_timeout) {
  world_.metrics
      .AddGauge("eraft_build_info", "What this process was built from.",
                {{"version", world_.version}, {"commit", world_.commit}})
      .Set(1);
}

KvServerImpl::~KvServerImpl() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  housekeeping_ticker_.reset();
  look_.reset();
  if (tls_ != nullptr) tls_->Stop();
  if (peer_tls_ != nullptr) peer_tls_->Stop();
  http_.reset();
  if (transport_ != nullptr) transport_->Stop();
  StopNode(/*orderly=*/false);
  server_.reset();
  base::MutexLock lock(mutex_);
  while (aux_jobs_ > 0) changed_.Wait(mutex_);
}

void KvServerImpl::OnLoop(absl::AnyInvocable<void()> work) {
  base::Mutex mutex;
  base::CondVar done;
  bool ran = false;
  loop_.Post([&] {
    work();
    const base::MutexLock lock(mutex);
    ran = true;
    done.NotifyAll();
  });
  base::MutexLock lock(mutex);
  while (!ran) done.Wait(mutex);
}

// ---- Up ----

absl::Status KvServerImpl::OpenSecurity() {
  base::World& world = world_.world;
  if (!config_.auth_token_file.empty()) {
    tokens_ = std::make_unique<base::net::TokenFile>(world.files, config_.auth_token_file,
                                                     Access::RoleNames());
    SLIPWAY_RETURN_IF_ERROR(ConfigError("--auth-token-file", tokens_->Reload()));
  }
  SLIPWAY_RETURN_IF_ERROR(ConfigError("--peer-token-file", ReadPeerToken()));
  const auto watch = [&](const base::net::TlsOptions& options, absl::string_view flag,
                         std::shared_ptr<base::net::TlsWatcher>& watcher) -> absl::Status {
    if (options.cert.empty()) return absl::OkStatus();
    auto started = base::net::TlsWatcher::Start(options, world.files, clock_, loop_,
                                                world_.aux_pool, world_.metrics, kPrefix);
    if (!started.ok()) return ConfigError(flag, started.status());
    watcher = *std::move(started);
    return absl::OkStatus();
  };
  SLIPWAY_RETURN_IF_ERROR(watch(config_.tls, "--tls-cert", tls_));
  SLIPWAY_RETURN_IF_ERROR(watch(config_.peer_tls, "--peer-tls-cert", peer_tls_));
  if (!config_.audit_log.empty()) {
    auto audit = base::AuditLog::Open(world.files, config_.audit_log, clock_);
    if (!audit.ok()) return ConfigError("--audit-log", audit.status());
    audit_ = *std::move(audit);
  }
  access_.emplace(Access::Options{.encrypted = tls_ != nullptr,
                                  .insecure_admin = config_.insecure_admin,
                                  .admin_san = config_.admin_san},
                  tokens_.get(), metrics_.auth_failures);
  slow_.emplace(config_.slow_log, clock_, metrics_.slow_requests);
  return absl::OkStatus();
}

absl::Status KvServerImpl::ReadPeerToken() {
  if (config_.peer_token_file.empty()) return absl::OkStatus();
  SLIPWAY_ASSIGN_OR_RETURN(const base::SecretFile file,
                           base::ReadSecretFile(world_.world.files, config_.peer_token_file));
  const absl::string_view token = file.secret.Reveal();
  // gRPC ends the process over any other byte in a header.
  if (!std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    return absl::InvalidArgumentError(absl::StrCat(
        "read secret ", config_.peer_token_file,
        ": a token is one word of printable ASCII characters, and the file has nothing else"));
  }
  {
    base::MutexLock lock(token_mutex_);
    if (peer_token_ == token) return absl::OkStatus();
    peer_token_ = std::string(token);
  }
  SLIPWAY_LOG(kInfo, "token for peers loaded", {{"file", config_.peer_token_file}});
  if (!file.warning.empty()) SLIPWAY_LOG(kWarn, file.warning);
  return absl::OkStatus();
}

// A first start that cannot serve leaves no directory, which would be of the cluster that was named
// by mistake (E10).
absl::Status KvServerImpl::TryListeners() {
  if (!IsFirstStart(world_.world, plan_)) return absl::OkStatus();
  const bool tls = tls_ != nullptr;
  std::vector<std::string> all;
  for (const auto& [text, encrypted] : {std::pair(plan_.listen, tls),
                                        {plan_.peer_listen, tls || peer_tls_ != nullptr},
                                        {plan_.http_listen, tls}}) {
    if (text.empty()) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> addresses,
                             base::net::ListenAddresses(text, encrypted, world_.world.files));
    all.insert(all.end(), addresses.begin(), addresses.end());
  }
  return ListenError(base::net::Server::TryListen(all));
}

absl::Status KvServerImpl::OpenTransport() {
  auto peers = PeersFile::Open(*data_.dir);
  if (!peers.ok()) return base::Annotate(peers.status(), data_.path);
  incarnations_ = *std::move(peers);
  TransportOptions options;
  options.cluster = data_.cluster;
  options.self = plan_.id;
  options.incarnation = data_.incarnation;
  options.feature_level = kEntryLevel;
  options.unary = config_.unary_transport;
  options.address = plan_.advertise;
  options.tls = config_.peer_tls.cert.empty() ? config_.tls : config_.peer_tls;
  options.certificate_required = PeersShowCertificates(config_);
  base::World& world = world_.world;
  if (!config_.peer_token_file.empty()) {
    options.token = [this] {
      base::MutexLock lock(token_mutex_);
      return peer_token_;
    };
  }
  if (tokens_ != nullptr && (!options.certificate_required || options.token)) {
    options.admit = [this](const base::net::Call& call) { return access_->CheckPeer(call); };
  }
  SLIPWAY_ASSIGN_OR_RETURN(
      transport_, PeerTransport::Open(options, {loop_, clock_, world_.aux_pool, world.random,
                                                world.files, world_.metrics, *incarnations_}));
  return absl::OkStatus();
}

// On a full disk the log keeps what was acknowledged, so nothing is lost by waiting; who starts the
// process again and again would only wait less quietly (E167).
absl::Status KvServerImpl::OpenNode() {
  bool told = false;
  for (;;) {
    const absl::Status status = OpenNodeOnce();
    if (!absl::IsResourceExhausted(status)) return status;
    if (world_.cancel.cancelled()) return world_.cancel.status();
    if (!std::exchange(told, true)) {
      SLIPWAY_LOG(kError, "there is no room on the disk to start; it is waited for",
                  {{"error", std::string(status.message())}});
    }
    {
      base::MutexLock lock(mutex_);
      changed_.WaitFor(mutex_, kStartAgainAfter);
    }
    housekeeping_->MakeRoom();
  }
}

absl::Status KvServerImpl::OpenNodeOnce() {
  NodeOptions options = NodeOptionsOf(config_, plan_);
  options.cluster = data_.cluster;
  base::World& world = world_.world;
  wal::WalRecovery recovery;
  absl::Status status;
  OnLoop([&] {
    auto node = Node::Open({loop_, clock_, world_.pool, world_.wal_pool, world.random, *data_.dir,
                            *home_, *transport_, world_.metrics},
                           std::move(options), &recovery);
    status = node.status();
    if (!status.ok()) return;
    node_ = *std::move(node);
    node_->OnFatal([this](const absl::Status& fatal) { OnFatal(fatal); });
    replica_->OnAddresses([this](const Addresses& addresses) { TakeAddresses(addresses); });
    replica_->OnReadmissions([this](const Readmissions& rows) { TakeReadmissions(rows); });
    readmitter_.emplace(*replica_, config_.auto_repair,
                        [this](absl::string_view what, raft::NodeId id,
                               const absl::Status& outcome) { AuditRepair(what, id, outcome); });
    replica_->Attach(*node_);
  });
  if (!status.ok()) {
    return WithWayOut(base::Annotate(status, absl::StrCat("open node in ", data_.path)),
                      data_.path);
  }
  SLIPWAY_LOG(kInfo, "log recovered",
              {{"records", recovery.records},
               {"torn_bytes", recovery.torn_bytes},
               {"hard_copies_damaged", recovery.hard_copies_damaged}});
  return absl::OkStatus();
}

void KvServerImpl::AddHealth() {
  health_.AddService("liveness", [this] { return Alive(); });
  health_.AddService("readiness", [this] { return health_.ready(); });
  health_.AddService("leader",
                     [this] { return replica_->view()->leads() && !replica_->draining(); });
  health_.Set("leader", false, "no leader is known yet");
}

absl::Status KvServerImpl::StartGrpc() {
  services_.push_back(MakeLegacyService(*parts_));
  services_.push_back(MakePipelineService(*parts_, world_.world.random));
  services_.push_back(MakeAdminService(*parts_));
  std::vector<base::net::Listener> listeners(1);
  SLIPWAY_ASSIGN_OR_RETURN(
      listeners[0].addresses,
      base::net::ListenAddresses(plan_.listen, tls_ != nullptr, world_.world.files));
  listeners[0].tls = tls_;
  for (const auto& service : services_) listeners[0].services.push_back(service.get());
  has_peer_listener_ = !plan_.peer_listen.empty();
  if (has_peer_listener_) {
    base::net::Listener peers;
    peers.tls = peer_tls_ != nullptr ? peer_tls_ : tls_;
    SLIPWAY_ASSIGN_OR_RETURN(
        peers.addresses,
        base::net::ListenAddresses(plan_.peer_listen, peers.tls != nullptr, world_.world.files));
    listeners.push_back(std::move(peers));
  }
  listeners.back().services.push_back(&transport_->service());
  listeners.back().services.push_back(&transport_->unary_service());
  base::net::ServerOptions options;
  options.message_bytes_max = kMessageBytesMax;
  options.calls_max = config_.max_inflight + kOtherCalls;
  options.streams_per_connection_max = config_.max_connection_inflight;
  options.metric_prefix = kPrefix;
  auto server = base::net::Server::Start(listeners, options, health_, world_.metrics);
  if (!server.ok()) return ListenError(server.status());
  server_ = *std::move(server);
  return absl::OkStatus();
}

absl::Status KvServerImpl::StartHttp() {
  if (plan_.http_listen.empty()) return absl::OkStatus();
  base::net::HttpServerOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(
      options.addresses,
      base::net::ListenAddresses(plan_.http_listen, tls_ != nullptr, world_.world.files));
  options.tls = tls_;
  options.metric_prefix = kPrefix;
  auto server =
      base::net::HttpServer::Start(options, MakeRouter(), world_.aux_pool, world_.metrics);
  if (!server.ok()) return ListenError(server.status());
  http_ = *std::move(server);
  return absl::OkStatus();
}

absl::Status KvServerImpl::Open() {
  std::vector<std::string> warnings = plan_.warnings;
  effective_ = EffectiveSettings(config_, world_.world.pool.threads(), &warnings);
  for (const std::string& warning : warnings) SLIPWAY_LOG(kWarn, warning);
  SLIPWAY_RETURN_IF_ERROR(OpenSecurity());
  SLIPWAY_RETURN_IF_ERROR(TryListeners());
  SLIPWAY_ASSIGN_OR_RETURN(data_, OpenDataDirectory(world_.world, config_, plan_));
  home_ = MakeHome(config_, data_);
  replica_.emplace(
      loop_, clock_, metrics_,
      Replica::Options{.self = plan_.id,
                       .addresses = data_.members,
                       .given = absl::StrJoin(plan_.members, ","),
                       .sessions = {.ttl_ms = static_cast<uint64_t>(
                                        absl::ToInt64Milliseconds(config_.session_ttl)),
                                    .sessions_max = static_cast<uint64_t>(config_.max_sessions)},
                       .inflight_max = config_.max_inflight,
                       .value_bytes_max = config_.max_value});
  replica_->sights = [this] { return Sights(); };
  replica_->data_of = [this](raft::NodeId id) { return incarnations_->Get(id); };
  housekeeping_.emplace(*replica_, *data_.dir, world_.world.files,
                        Housekeeping::Options{.quota_bytes = config_.quota_bytes,
                                              .memory_soft_limit = config_.memory_soft_limit});
  housekeeping_->MakeRoom();
  SLIPWAY_RETURN_IF_ERROR(OpenTransport());
  // Before the node tells what its log says of the members, which may be newer.
  TellOwnAddress(data_.members);
  transport_->SetPeers(PeersOf(data_.members));
  SLIPWAY_RETURN_IF_ERROR(OpenNode());
  parts_.reset(new ServiceParts{*replica_, *this, *access_, *slow_, audit_.get(), world_.aux_pool,
                                config_.read_mode, absl::ToInt64Microseconds(plan_.timers.tick),
                                static_cast<uint64_t>(config_.max_connection_inflight),
                                config_.max_range_bytes, config_.session_ttl});
  AddHealth();
  SLIPWAY_RETURN_IF_ERROR(StartGrpc());
  SLIPWAY_RETURN_IF_ERROR(StartHttp());
  look_.emplace(loop_, kLookEvery, [this] { Look(); });
  housekeeping_ticker_.emplace(loop_, kHousekeepingEvery, [this] { StartHousekeeping(); });
  health_.SetPhase(base::net::Health::Phase::kServing);
  for (const auto& [name, value] : effective_) {
    SLIPWAY_LOG(kInfo, "setting in force", {{"name", name}, {"value", value}});
  }
  SLIPWAY_LOG(kInfo, "serving",
              {{"id", plan_.index},
               {"node", plan_.id},
               {"cluster", base::ToHex(base::BytesView(data_.cluster))},
               {"grpc", port("grpc")},
               {"peer", port("peer")},
               {"http", port("http")},
               {"data_dir", data_.path},
               {"engine", EngineKindName(config_.engine)},
               {"new", data_.fresh},
               {"version", world_.version}});
  return absl::OkStatus();
}

int KvServerImpl::port(absl::string_view role) const {
  if (role == "http") return http_ == nullptr ? 0 : http_->port();
  if (server_ == nullptr) return 0;
  return server_->port(role == "peer" && has_peer_listener_ ? 1 : 0);
}

// ---- While it runs ----

void KvServerImpl::OnFatal(const absl::Status& status) {
  SLIPWAY_LOG(kError, "the node can go on no more; it acknowledges nothing and ends",
              {{"error", std::string(status.message())}});
  health_.Set("storage", false, "the storage failed; see the log");
  {
    base::MutexLock lock(mutex_);
    fatal_ = status;
  }
  if (world_.on_fatal) world_.on_fatal(base::WithInfo(status, {"", kAfterFailure}));
}

// Its --cluster names itself alone, as the first line of a cluster that grew, and its disk is a new
// one: what it has decided since then, alone, is nobody's but its own (E123).
void KvServerImpl::EndIfAlone() {
  const auto view = replica_->view();
  if (!view->status.alone || view->status.raft.last == 0) return;
  {
    base::MutexLock lock(mutex_);
    if (!fatal_.ok()) return;
  }
  replica_->SetDraining();
  replica_->SetStopping();
  OnFatal(base::MakeError(
      absl::StatusCode::kFailedPrecondition,
      "the members know this node with other data: its own were lost, and it began anew, alone",
      {"", absl::StrCat("move ", data_.path, " away and start it with --join --cluster-token ",
                        base::ToHex(base::BytesView(data_.cluster)))}));
}

// The log has the addresses that the first leader knew, from its own --cluster.
void KvServerImpl::TellOwnAddress(const Addresses& addresses) const {
  const auto own = addresses.find(plan_.id);
  if (own == addresses.end() || own->second == plan_.advertise) return;
  SLIPWAY_LOG(kWarn,
              "the members reach this node by the address in the log, not by its own; to change "
              "it, remove the member and add it with the other address",
              {{"in_force", own->second}, {"own", plan_.advertise}});
}

// What the log says: for the transport at once, for the next start with the next housekeeping.
void KvServerImpl::TakeAddresses(const Addresses& addresses) {
  TellOwnAddress(addresses);
  transport_->SetPeers(PeersOf(addresses));
  base::MutexLock lock(mutex_);
  members_ = addresses;
  members_written_ = false;
}

absl::Status KvServerImpl::Reload() {
  absl::Status result;
  if (tls_ != nullptr) result.Update(tls_->Reload());
  if (peer_tls_ != nullptr) result.Update(peer_tls_->Reload());
  if (tokens_ != nullptr) result.Update(tokens_->Reload());
  result.Update(ReadPeerToken());
  return result;
}

// ---- Down ----

void KvServerImpl::StopNode(bool orderly) {
  if (!replica_.has_value()) return;
  OnLoop([this, orderly] {
    replica_->Detach();
    if (node_ == nullptr) return;
    if (orderly) {
      const absl::Status stopped = node_->Stop();
      if (!stopped.ok()) {
        SLIPWAY_LOG(kError, "node not stopped in order; the log has what it acknowledged",
                    {{"error", std::string(stopped.message())}});
        // Without room the log waited, and nothing is lost; all else is a storage that failed.
        if (!absl::IsResourceExhausted(stopped)) OnFatal(stopped);
      }
    }
    node_.reset();
  });
}

base::Owned<KvServer> KvServer::Start(const KvServerConfig& config, const KvServerPlan& plan,
                                      KvServerWorld world) {
  auto server = std::make_unique<KvServerImpl>(config, plan, std::move(world));
  SLIPWAY_RETURN_IF_ERROR(server->Open());
  return server;
}

}  // namespace slipway::eraft
