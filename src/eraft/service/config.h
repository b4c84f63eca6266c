// The configuration of kvserver: keys, defaults, and what they say together (spec 6.4).
// Thread-safe: values and free functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/config/reader.h"
#include "base/net/endpoint.h"
#include "base/net/tls.h"
#include "base/units.h"
#include "base/world.h"
#include "eraft/node/node.h"
#include "eraft/store/engine.h"
#include "eraft/store/limits.h"
#include "eraft/store/rocksdb_engine.h"
#include "eraft/wal/format.h"

namespace slipway::eraft {

struct KvServerConfig {
  std::string id = "0";  // index into `cluster`; "auto": the number at the end of the host's name
  // Members in order. Two names for one key (E3): both given must be equal.
  std::vector<std::string> cluster;
  std::vector<std::string> addrs;
  std::string cluster_token;  // what names the cluster; empty: its members. 32 hex digits: its id
  bool join = false;          // a new directory is that of a node that a running cluster takes in
  std::string db = "kvserver-data";
  std::string data_dir;
  std::string listen, peer_listen, advertise, http_listen;
  bool insecure = false;
  bool unary_transport = false;  // --raft-transport unary
  EngineKind engine = EngineKind::kRocksDb;

  absl::Duration heartbeat_interval = absl::Milliseconds(100);
  absl::Duration election_timeout = absl::Seconds(1);
  int priority = 1;
  absl::Duration hibernate_after = absl::Seconds(10);  // 0: never
  ReadMode read_mode = ReadMode::kLinearizable;
  double max_clock_drift = 0.05;

  uint64_t snapshot_threshold_bytes = 256 * base::kMiB;
  uint64_t snapshot_threshold_entries = 1'000'000;
  uint64_t log_keep_entries = 10'000;
  uint64_t snapshot_rate = 64 * base::kMiB;
  uint64_t wal_segment = 64 * base::kMiB;
  absl::Duration wal_linger;  // E110
  bool wal_direct = false;    // E111; see EffectiveSettings

  int max_inflight = 20'000;
  int max_connection_inflight = 1000;
  uint64_t max_uncommitted_bytes = 64 * base::kMiB;
  uint64_t memory_soft_limit = 0;  // 0: none
  uint64_t quota_bytes = 0;        // 0: none
  uint64_t max_value = kValueBytesMax;
  uint64_t max_range_bytes = 64 * base::kMiB;
  absl::Duration session_ttl = absl::Hours(24);
  int max_sessions = static_cast<int>(kSessionsMax);
  int ready_max_lag = 4096;

  base::net::TlsOptions tls, peer_tls;
  std::string auth_token_file, peer_token_file;
  std::vector<std::string> admin_san;
  bool insecure_admin = false;

  RocksDbOptions storage;
  int apply_workers = 0;                   // 0: from the cores
  int raft_workers = 0, grpc_threads = 0;  // see EffectiveSettings

  bool auto_promote = false;  // E169
  bool auto_repair = true;    // E165

  absl::Duration drain_timeout = absl::Seconds(10);
  std::string log_level = "info", log_format = "text", log_file;
  absl::Duration slow_log = absl::Milliseconds(200);  // 0: off
  std::string audit_log;
};

void BindKvServerConfig(base::ConfigReader& reader, KvServerConfig& config);

// The same for addresses that are the same place for sure: localhost is 127.0.0.1.
std::string AddressKey(absl::string_view address);

// What the keys come to. InvalidArgument names the flag, its value and the remedy (E10).
struct KvServerPlan {
  std::vector<std::string> members;  // "host:port", in order
  size_t index = 0;                  // of this node among them
  raft::NodeId id = 0;               // 1 + index
  std::string data_dir;              // E53
  std::string listen, peer_listen;   // peer_listen empty: with the clients
  std::string http_listen;           // empty: off
  std::string advertise;             // where peers and clients find this node
  wal::ClusterId cluster{};
  bool token_given = false;
  Node::Timers timers;
  std::vector<std::string> warnings;
};
absl::StatusOr<KvServerPlan> PlanKvServer(const KvServerConfig& config,
                                          base::Environment& environment);

// Whether who comes as a peer has a certificate that was checked.
bool PeersShowCertificates(const KvServerConfig& config);

// The log as the configuration wants it; again after a change. Errors name --log-file.
absl::Status SetUpLog(const KvServerConfig& config, base::Clock& clock);

// The times of the node under such a heartbeat interval and election timeout. InvalidArgument: less
// than five heartbeats (E31).
absl::StatusOr<Node::Timers> TimersOf(absl::Duration heartbeat, absl::Duration election,
                                      absl::Duration hibernate_after);

// Threads that apply and read, of `cores` that the process may use (E34).
int ApplyWorkersOf(const KvServerConfig& config, int cores);

// What the keys that say how much, or "from the cores", or that the engine may not know, come to
// (E33, E34): names as the keys', with texts for people. `warnings` gets what is not as asked for.
std::vector<std::pair<std::string, std::string>> EffectiveSettings(
    const KvServerConfig& config, int cores, std::vector<std::string>* warnings);

NodeOptions NodeOptionsOf(const KvServerConfig& config, const KvServerPlan& plan);

}  // namespace slipway::eraft
