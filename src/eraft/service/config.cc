#include "eraft/service/config.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log/log.h"
#include "base/net/address_range.h"
#include "base/status.h"
#include "eraft/service/limits.h"

namespace slipway::eraft {
namespace {

using Config = KvServerConfig;

constexpr absl::string_view kDefaultMembers[] = {"localhost:5001", "localhost:5002",
                                                 "localhost:5003"};
constexpr int kHttpPortDistance = 10'000;
constexpr int kTicksPerHeartbeat = 5;
constexpr absl::Duration kHibernateAfterMax = absl::Hours(24 * 365 * 10);

constexpr std::pair<absl::string_view, EngineKind> kEngines[] = {{"rocksdb", EngineKind::kRocksDb},
                                                                 {"leveldb", EngineKind::kLevelDb},
                                                                 {"memory", EngineKind::kMemory}};
constexpr std::pair<absl::string_view, ReadMode> kReadModes[] = {
    {"readindex", ReadMode::kLinearizable}, {"lease", ReadMode::kLease}};
constexpr std::pair<absl::string_view, bool> kTransports[] = {{"stream", false}, {"unary", true}};
constexpr std::pair<absl::string_view, Compression> kCompressions[] = {
    {"none", Compression::kNone},
    {"snappy", Compression::kSnappy},
    {"lz4", Compression::kLz4},
    {"zstd", Compression::kZstd}};

template <class... Parts>
absl::Status Refuse(absl::string_view flag, absl::string_view value, const Parts&... why) {
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " ", value.empty() ? "\"\"" : value, ": ", why...));
}

std::string CheckLevel(absl::string_view text) {
  return base::ParseLogLevel(text).ok() ? ""
                                        : "is no level; choose debug, info, warn, error or off";
}
std::string CheckFormat(absl::string_view text) {
  return text == "text" || text == "json" ? "" : "is no format; choose text or json";
}

void BindMembers(base::ConfigReader& reader, Config& config) {
  reader.Text("id", &config.id,
              "Index into cluster, from 0; auto: the number the host name ends with");
  reader.Texts("cluster", &config.cluster,
               "Members in order, host:port; host-{0..2}:port is three");
  reader.Texts("addrs", &config.addrs, "The same as cluster");
  for (const auto& [key, list] :
       {std::pair("cluster", &config.cluster), std::pair("addrs", &config.addrs)}) {
    if (reader.Has(key) && list->empty()) {
      reader.Problem(key, "no member; name each as host:port, with commas between");
    }
  }
  reader.Text("cluster_token", &config.cluster_token,
              "Names the cluster, the same on all nodes; unset: its members");
  reader.Mask("cluster_token");
  reader.Bool("join", &config.join, "A new directory is of a node that a running cluster takes in");
  reader.Text("db", &config.db, "The data directory is <db>_<id>");
  reader.Text("data_dir", &config.data_dir, "The data directory itself, instead of db");
  reader.Text("listen", &config.listen, "Address for clients; unset: the own one of cluster");
  reader.Text("peer_listen", &config.peer_listen, "Address for peers; unset: that for clients");
  reader.Text("advertise", &config.advertise, "Where others reach this node; unset: as in cluster");
  reader.Text("http_listen", &config.http_listen,
              "Metrics, health, statusz; unset: port + 10000; off: none");
  reader.Bool("insecure", &config.insecure,
              "Serve other machines without TLS: everybody there reads along");
  reader.Enum<EngineKind>("engine", &config.engine, kEngines, "What keeps the data");
}

void BindRaft(base::ConfigReader& reader, Config& config) {
  reader.Duration("heartbeat_interval", &config.heartbeat_interval, "Between heartbeats",
                  absl::Milliseconds(1), absl::Minutes(1));
  reader.Duration("election_timeout", &config.election_timeout,
                  "Silence of the leader after which others stand; at least 5 heartbeats",
                  absl::Milliseconds(5), absl::Minutes(10));
  reader.Int("priority", &config.priority, 0, 100, "0: never a leader; more: stands earlier");
  reader.Duration("hibernate_after", &config.hibernate_after,
                  "Quiet after which heartbeats cease; 0: never", absl::ZeroDuration(),
                  kHibernateAfterMax);
  reader.Enum<ReadMode>("read_mode", &config.read_mode, kReadModes,
                        "How reads are confirmed; lease needs clocks within max_clock_drift");
  reader.Double("max_clock_drift", &config.max_clock_drift, 0, 0.49, "Between any two clocks");
  reader.Size("snapshot_threshold_bytes", &config.snapshot_threshold_bytes,
              "A snapshot is taken after so much log", base::kMiB);
  reader.Size("snapshot_threshold_entries", &config.snapshot_threshold_entries,
              "A snapshot is taken after so many entries", 100);
  reader.Size("log_keep_entries", &config.log_keep_entries,
              "Entries kept behind a snapshot, for slow followers");
  reader.Size("snapshot_rate", &config.snapshot_rate,
              "Bytes of snapshots sent in a second; 0: all");
  reader.Enum<bool>("raft_transport", &config.unary_transport, kTransports,
                    "How messages go to other nodes; unary for tests");
  reader.Size("wal_segment", &config.wal_segment, "Bytes of a file of the log", base::kMiB,
              base::kGiB);
  reader.Duration("wal_linger", &config.wal_linger,
                  "The log waits so long for more before it writes; 0: not at all",
                  absl::ZeroDuration(), absl::Milliseconds(100));
  reader.Bool("wal_direct", &config.wal_direct, "Write the log past the system's cache");
  reader.Bool("auto_promote", &config.auto_promote,
              "A learner that has caught up becomes a voter by itself");
  reader.Bool("auto_repair", &config.auto_repair,
              "A member that lost its data is taken in again by itself");
}

void BindLimits(base::ConfigReader& reader, Config& config) {
  reader.Int("max_inflight", &config.max_inflight, 1, 10'000'000, "Requests at a time");
  reader.Int("max_connection_inflight", &config.max_connection_inflight, 1, 1'000'000,
             "Requests at a time of one connection, and commands of one pipeline");
  reader.Size("max_uncommitted_bytes", &config.max_uncommitted_bytes,
              "Proposed and not yet committed", base::kMiB);
  reader.Size("memory_soft_limit", &config.memory_soft_limit,
              "Writes are refused while the process has more; 0: none");
  reader.Size("quota_bytes", &config.quota_bytes,
              "Writes are refused when engine and log take more; 0: none");
  reader.Size("max_value", &config.max_value, "Bytes of one value", 1, kValueBytesMax);
  reader.Size("max_range_bytes", &config.max_range_bytes, "Bytes of one answer to a scan",
              base::kKiB, base::kGiB);
  reader.Duration("session_ttl", &config.session_ttl, "Life of a session after its last use",
                  absl::Seconds(1));
  reader.Int("max_sessions", &config.max_sessions, 1, 100'000'000, "Sessions at a time");
  reader.Int("ready_max_lag", &config.ready_max_lag, 1, 100'000'000,
             "Entries that may wait to be applied in a node that is ready");
}

void BindSecurity(base::ConfigReader& reader, Config& config) {
  base::net::BindTls(reader, "tls", &config.tls);
  base::net::BindTls(reader, "peer_tls", &config.peer_tls);
  reader.Text(
      "auth_token_file", &config.auth_token_file,
      "Lines <sha256 hex of the token> <subject> <role>[,role]; read again when it changes");
  reader.Text("peer_token_file", &config.peer_token_file,
              "A token that this node shows to its peers; theirs must have the role peer");
  reader.Texts("admin_san", &config.admin_san, "Names in certificates of administrators");
  reader.Bool("insecure_admin", &config.insecure_admin,
              "Administration from other machines without TLS and tokens");
}

void BindProcess(base::ConfigReader& reader, Config& config) {
  RocksDbOptions& storage = config.storage;
  reader.Size("block_cache", &storage.block_cache_bytes, "Memory for blocks that were read",
              base::kMiB);
  reader.Size("write_buffer", &storage.write_buffer_bytes, "Memory for what is not yet in files",
              64 * base::kKiB);
  reader.Int("engine_threads", &storage.threads, 1, 64, "Flushes and compactions at a time");
  reader.Enum<Compression>("compression", &storage.compression, kCompressions,
                           "Of the engine's files; leveldb knows none and snappy");
  reader.Int("bloom_bits", &storage.bloom_bits, 0, 64, "Of a key's filter; 0: no filter");
  reader.Size("engine_rate_limit", &storage.rate_limit_bytes,
              "Bytes that flushes and compactions write in a second; 0: all");
  reader.Int("apply_workers", &config.apply_workers, 0, 256,
             "Threads that apply, read and take snapshots; 0: from the cores");
  reader.Int("raft_workers", &config.raft_workers, 0, 256,
             "Threads of the protocol; 0: one, which a single group needs");
  reader.Int("grpc_threads", &config.grpc_threads, 0, 256,
             "Threads that take calls; 0: as gRPC has it");
  reader.Duration("drain_timeout", &config.drain_timeout, "For what is under way, at a stop");
  reader.Text("log_level", &config.log_level, "debug, info, warn, error, off", CheckLevel);
  reader.Text("log_format", &config.log_format, "text or json", CheckFormat);
  reader.Text("log_file", &config.log_file, "Rotated log file; unset: standard error");
  reader.Duration("slow_log", &config.slow_log, "Requests that take longer are logged; 0: none");
  reader.Text("audit_log", &config.audit_log, "Who did what to the cluster, as JSON lines");
}

// Keys of the specification that later versions will read.
void BindLater(base::ConfigReader& reader) {
  for (const absl::string_view key :
       {"client_listen", "max_request_bytes", "max_txn_ops", "auto_compaction_mode",
        "auto_compaction_retention", "watch_progress_interval", "grpc_keepalive_min_time",
        "scrub_interval", "gc_rate"}) {
    reader.Later(key);
  }
}

// ---- Plan ----

// Each as it is meant: name-{0..2}.svc:port is three (E16).
absl::StatusOr<std::vector<std::string>> Expand(absl::string_view flag,
                                                const std::vector<std::string>& given) {
  std::vector<std::string> members;
  for (const std::string& text : given) {
    const auto some = base::net::ExpandRange(text, kMembersMax);
    if (!some.ok()) return Refuse(flag, absl::StrJoin(given, ","), some.status().message());
    members.insert(members.end(), some->begin(), some->end());
  }
  return members;
}

absl::StatusOr<std::vector<std::string>> MembersOf(const Config& config) {
  const bool by_addrs = !config.addrs.empty();
  const absl::string_view flag = by_addrs && config.cluster.empty() ? "--addrs" : "--cluster";
  SLIPWAY_ASSIGN_OR_RETURN(const auto addrs, Expand("--addrs", config.addrs));
  SLIPWAY_ASSIGN_OR_RETURN(const auto cluster, Expand("--cluster", config.cluster));
  if (by_addrs && !config.cluster.empty() && addrs != cluster) {
    return Refuse("--addrs", absl::StrJoin(config.addrs, ","), "--cluster says ",
                  absl::StrJoin(config.cluster, ","), "; the two are one: give one of them");
  }
  std::vector<std::string> members = cluster.empty() ? addrs : cluster;
  if (members.empty()) {
    for (const absl::string_view member : kDefaultMembers) members.emplace_back(member);
  }
  const std::string shown = absl::StrJoin(members, ",");
  std::set<std::string> seen;
  for (std::string& member : members) {
    const auto endpoint = base::net::ParseEndpoint(member);
    if (!endpoint.ok()) return Refuse(flag, shown, endpoint.status().message());
    if (endpoint->host.empty()) return Refuse(flag, shown, member, " has no host");
    if (base::net::IsUnspecified(endpoint->host)) {
      return Refuse(flag, shown, member, " is no address that others can reach");
    }
    if (endpoint->port == 0 && members.size() > 1) {
      return Refuse(flag, shown, member, " has port 0; the others would not find it");
    }
    member = endpoint->ToString();
    if (!seen.insert(AddressKey(member)).second) {
      return Refuse(flag, shown, member, " is there twice");
    }
  }
  if (members.size() > kMembersMax) {
    return Refuse(flag, shown, members.size(), " members, at most ", kMembersMax);
  }
  return members;
}

absl::StatusOr<size_t> IndexOf(const Config& config, size_t members,
                               base::Environment& environment) {
  std::string text = config.id;
  if (text == "auto") {
    const std::string host = environment.HostName();
    const std::string name = host.substr(0, host.find('.'));
    text = name.substr(name.rfind('-') + 1);
    if (name.find('-') == std::string::npos || text.empty()) {
      return Refuse("--id", "auto", "the name of this host, ", host, ", does not end with -NUMBER");
    }
  }
  uint32_t index = 0;
  if (!absl::SimpleAtoi(text, &index)) {
    return Refuse("--id", config.id, "not a number; it is the index into --cluster, from 0");
  }
  if (index >= members) {
    return Refuse("--id", config.id, "--cluster has ", members, " members; the last one has id ",
                  members - 1);
  }
  return index;
}

absl::Status CheckAddress(absl::string_view flag, const std::string& text) {
  const auto endpoint = base::net::ParseEndpoint(text);
  return endpoint.ok() ? absl::OkStatus() : Refuse(flag, text, endpoint.status().message());
}

absl::Status CheckPlain(const Config& config, absl::string_view flag, const std::string& text,
                        bool encrypted) {
  const auto endpoint = base::net::ParseEndpoint(text);
  if (!endpoint.ok() || encrypted || config.insecure) return absl::OkStatus();
  if (endpoint->host.empty() || base::net::IsLoopback(endpoint->host)) return absl::OkStatus();
  return base::MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat(flag, " ", text, ": other machines reach it, and nothing is encrypted"),
      {"", "give --tls-cert and --tls-key, or --insecure where the network itself is trusted"});
}

absl::Status PlanAddresses(const Config& config, KvServerPlan& plan) {
  const std::string& own = plan.members[plan.index];
  plan.listen = config.listen.empty() ? own : config.listen;
  plan.peer_listen = config.peer_listen;
  plan.advertise = config.advertise.empty() ? own : config.advertise;
  const absl::string_view flag = config.listen.empty() ? "--cluster" : "--listen";
  SLIPWAY_RETURN_IF_ERROR(CheckAddress(flag, plan.listen));
  SLIPWAY_RETURN_IF_ERROR(CheckAddress("--advertise", plan.advertise));
  const auto endpoint = *base::net::ParseEndpoint(plan.listen);
  if (config.http_listen == "off") {
    plan.http_listen.clear();
  } else if (!config.http_listen.empty()) {
    SLIPWAY_RETURN_IF_ERROR(CheckAddress("--http-listen", config.http_listen));
    plan.http_listen = config.http_listen;
  } else if (endpoint.port != 0 && endpoint.port + kHttpPortDistance <= 65535) {
    base::net::Endpoint http = endpoint;
    http.port = static_cast<uint16_t>(endpoint.port + kHttpPortDistance);
    plan.http_listen = http.ToString();
  } else {
    plan.warnings.push_back(absl::StrCat("no port for metrics and health beside ", plan.listen,
                                         "; set --http-listen, or it is off"));
  }
  const bool tls = !config.tls.cert.empty();
  SLIPWAY_RETURN_IF_ERROR(CheckPlain(config, flag, plan.listen, tls));
  if (!plan.http_listen.empty()) {
    SLIPWAY_RETURN_IF_ERROR(CheckPlain(config, "--http-listen", plan.http_listen, tls));
  }
  if (plan.peer_listen.empty()) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(CheckAddress("--peer-listen", plan.peer_listen));
  return CheckPlain(config, "--peer-listen", plan.peer_listen,
                    tls || !config.peer_tls.cert.empty());
}

absl::Status CheckTls(absl::string_view name, const base::net::TlsOptions& tls) {
  const std::string flag = absl::StrCat("--", name, "-cert");
  if (tls.cert.empty() != tls.key.empty()) {
    return Refuse(flag, tls.cert, "certificate and key go together; give --", name, "-cert and --",
                  name, "-key, or neither");
  }
  const auto needs_certificate = [&](absl::string_view option, absl::string_view value) {
    return Refuse(absl::StrCat("--", name, option), value, "it needs --", name, "-cert and --",
                  name, "-key too");
  };
  if (tls.cert.empty() && !tls.ca.empty()) return needs_certificate("-ca", tls.ca);
  if (tls.cert.empty() && tls.client_auth != base::net::ClientAuth::kNone) {
    const bool asked = tls.client_auth == base::net::ClientAuth::kRequest;
    return needs_certificate("-client-auth", asked ? "request" : "require");
  }
  if (tls.client_auth != base::net::ClientAuth::kNone && tls.ca.empty()) {
    return Refuse(absl::StrCat("--", name, "-ca"), tls.ca,
                  "it is needed to check the certificates of clients");
  }
  return absl::OkStatus();
}

// Callers of the peers' port are known by a certificate, or by a token: else whoever reaches the
// port speaks as a member, and the tokens of clients guard nothing.
absl::Status CheckPeersAreKnown(const Config& config) {
  if (config.auth_token_file.empty() || !config.peer_token_file.empty() ||
      PeersShowCertificates(config)) {
    return absl::OkStatus();
  }
  const absl::string_view tls = config.peer_listen.empty() ? "--tls" : "--peer-tls";
  return Refuse("--auth-token-file", config.auth_token_file,
                "peers show no certificate, so whoever reaches their port could speak as a member; "
                "give --peer-token-file FILE, a token with the role peer, or ask for certificates "
                "by ",
                tls, "-client-auth require");
}

// Whether a certificate of a client is good for the peers' port, too.
bool TakesClientsForPeers(const Config& config) {
  const bool shared = config.peer_listen.empty() || config.peer_tls.cert.empty();
  const base::net::TlsOptions& peers = shared ? config.tls : config.peer_tls;
  return peers.ca == config.tls.ca && peers.allowed_sans.empty();
}

absl::Status CheckRest(const Config& config) {
  SLIPWAY_RETURN_IF_ERROR(CheckTls("tls", config.tls));
  SLIPWAY_RETURN_IF_ERROR(CheckTls("peer-tls", config.peer_tls));
  SLIPWAY_RETURN_IF_ERROR(CheckPeersAreKnown(config));
  if (!config.peer_tls.cert.empty() && config.peer_listen.empty()) {
    return Refuse("--peer-tls-cert", config.peer_tls.cert,
                  "peers and clients share one listener; give peers one by --peer-listen");
  }
  if (!config.peer_token_file.empty() && config.auth_token_file.empty()) {
    return Refuse("--peer-token-file", config.peer_token_file,
                  "whose tokens peers may show is said by --auth-token-file");
  }
  if (!config.admin_san.empty() && config.tls.client_auth == base::net::ClientAuth::kNone) {
    return Refuse("--admin-san", absl::StrJoin(config.admin_san, ","),
                  "no certificate is asked for; set --tls-client-auth request or require");
  }
  if (config.engine == EngineKind::kLevelDb && config.storage.compression == Compression::kZstd) {
    return Refuse("--compression", "zstd", "leveldb knows none and snappy");
  }
  if (config.wal_segment % 4096 != 0) {
    return Refuse("--wal-segment", base::FormatSize(config.wal_segment), "no multiple of 4KiB");
  }
  if (config.data_dir.empty() && config.db.empty()) {
    return Refuse("--db", "", "no data directory; give --db or --data-dir");
  }
  return absl::OkStatus();
}

}  // namespace

std::string AddressKey(absl::string_view address) {
  auto endpoint = base::net::ParseEndpoint(address);
  if (!endpoint.ok()) return std::string(address);
  if (absl::EqualsIgnoreCase(endpoint->host, "localhost")) endpoint->host = "127.0.0.1";
  return endpoint->ToString();
}

bool PeersShowCertificates(const KvServerConfig& config) {
  const bool shared = config.peer_listen.empty() || config.peer_tls.cert.empty();
  return (shared ? config.tls : config.peer_tls).client_auth != base::net::ClientAuth::kNone;
}

void BindKvServerConfig(base::ConfigReader& reader, KvServerConfig& config) {
  BindMembers(reader, config);
  BindRaft(reader, config);
  BindLimits(reader, config);
  BindSecurity(reader, config);
  BindProcess(reader, config);
  BindLater(reader);
}

absl::StatusOr<Node::Timers> TimersOf(absl::Duration heartbeat, absl::Duration election,
                                      absl::Duration hibernate_after) {
  if (election < kElectionHeartbeatsMin * heartbeat) {
    return Refuse("--election-timeout", base::FormatGoDuration(election), "below ",
                  kElectionHeartbeatsMin, " times --heartbeat-interval ",
                  base::FormatGoDuration(heartbeat), "; a late heartbeat would cost an election");
  }
  Node::Timers timers;
  timers.tick = heartbeat / kTicksPerHeartbeat;
  timers.heartbeat_ticks = kTicksPerHeartbeat;
  timers.election_ticks = static_cast<int>(election / timers.tick);
  timers.hibernate_ticks = static_cast<int>(
      std::min<int64_t>(hibernate_after / timers.tick, std::numeric_limits<int>::max()));
  return timers;
}

absl::StatusOr<KvServerPlan> PlanKvServer(const KvServerConfig& config,
                                          base::Environment& environment) {
  KvServerPlan plan;
  SLIPWAY_ASSIGN_OR_RETURN(plan.members, MembersOf(config));
  SLIPWAY_ASSIGN_OR_RETURN(plan.index, IndexOf(config, plan.members.size(), environment));
  plan.id = plan.index + 1;
  SLIPWAY_RETURN_IF_ERROR(PlanAddresses(config, plan));
  SLIPWAY_ASSIGN_OR_RETURN(plan.timers, TimersOf(config.heartbeat_interval, config.election_timeout,
                                                 config.hibernate_after));
  SLIPWAY_RETURN_IF_ERROR(CheckRest(config));
  plan.data_dir =
      config.data_dir.empty() ? absl::StrCat(config.db, "_", plan.index) : config.data_dir;
  plan.token_given = !config.cluster_token.empty();
  plan.cluster =
      ClusterIdOf(plan.token_given ? config.cluster_token
                                   : absl::StrCat("kvserver ", absl::StrJoin(plan.members, ",")));
  if (config.join && !plan.token_given) {
    return Refuse("--join", "true", "the cluster to join is named by --cluster-token");
  }
  if (!config.auth_token_file.empty() && config.peer_token_file.empty() &&
      TakesClientsForPeers(config)) {
    plan.warnings.push_back(
        "whoever has a certificate that clients may have speaks as a member, whatever its token; "
        "give --peer-token-file, or peers an authority of their own: --peer-listen, --peer-tls-ca");
  }
  if (plan.members.size() == 1 && !config.join) {
    plan.warnings.push_back("a cluster of one member: its loss is the loss of the data");
  }
  return plan;
}

absl::Status SetUpLog(const KvServerConfig& config, base::Clock& clock) {
  base::LogOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(options.level, base::ParseLogLevel(config.log_level));
  options.format = config.log_format == "json" ? base::LogOptions::Format::kJson
                                               : base::LogOptions::Format::kText;
  options.logger = "kvserver";
  options.file = config.log_file;
  return base::Annotate(base::ConfigureLog(options, clock), "open --log-file");
}

NodeOptions NodeOptionsOf(const KvServerConfig& config, const KvServerPlan& plan) {
  NodeOptions options;
  options.id = plan.id;
  options.cluster = plan.cluster;
  GroupOptions group;
  group.id = kKvGroup;
  if (!config.join) {
    for (raft::NodeId id = 1; id <= plan.members.size(); ++id) group.members.voters.push_back(id);
  }
  options.groups.push_back(std::move(group));
  options.tick = plan.timers.tick;
  options.raft.commit_waits = true;
  options.raft.heartbeat_ticks = plan.timers.heartbeat_ticks;
  options.raft.election_ticks = plan.timers.election_ticks;
  options.raft.hibernate_ticks = plan.timers.hibernate_ticks;
  options.raft.priority = config.priority;
  options.raft.uncommitted_bytes_max = config.max_uncommitted_bytes;
  options.clock_drift_max = config.max_clock_drift;
  options.wal_segment_bytes = config.wal_segment;
  options.wal_linger = config.wal_linger;
  options.snapshot_entries = config.snapshot_threshold_entries;
  options.snapshot_bytes = config.snapshot_threshold_bytes;
  options.log_keep_entries = config.log_keep_entries;
  options.snapshot_bytes_per_second = static_cast<double>(config.snapshot_rate);
  options.proposals_max = static_cast<uint64_t>(config.max_inflight);
  return options;
}

}  // namespace slipway::eraft
