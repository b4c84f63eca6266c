// zako-casd as an object: store, services, listeners. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/config/reader.h"
#include "base/metrics/metrics.h"
#include "base/net/tls.h"
#include "base/status.h"
#include "base/world.h"
#include "cas/service/session/authority.h"
#include "cas/store/stores.h"

namespace slipway::cas {

// Spec 7.8, as far as used; docs/zako-casd.md lists the keys.
struct CasdConfig {
  std::vector<std::string> roles = {"cas", "transport", "admin", "http"};
  // "host:port"; without a host: loopback without TLS, all addresses with it. Equal addresses share
  // one listener. Where `cas` is served, `transport` and `admin` are too: clients that are told no
  // address take that of the CAS (Z11).
  std::string listen_cas = ":50610", listen_transport = ":50611", listen_http = ":9610";
  std::string transport_advertise;  // "address:port" for clients; empty: as they reached the CAS
  uint64_t transport_chunk_bytes = 1 << 20;
  int buffered_io_count = 0;        // 0: cores
  int recommended_concurrency = 0;  // 0: cores
  absl::Duration overload_delay = absl::Milliseconds(50);
  AuthMode auth_mode = AuthMode::kNone;
  std::string auth_keys_file;
  bool require_token = true;
  absl::Duration token_ttl = absl::Seconds(600);
  enum class TokenReuse : uint8_t { kSession, kOnce } token_reuse = TokenReuse::kSession;
  int tokens_max = 100'000;
  base::net::TlsOptions tls;
  bool insecure = false;
  std::string store_root = "/var/lib/zako";
  DiskStoreOptions store;
  int io_threads = 0;  // 0: 32, or 2 a core
  int streams_max = 1024;
  absl::Duration idle_timeout = absl::Seconds(60);  // of an upload without a byte
  // Storage that has not answered for so long counts as failed. No key of the file.
  absl::Duration storage_answer_max = absl::Seconds(10);
  absl::Duration lame_duck = absl::Seconds(5);
  absl::Duration drain_timeout = absl::Seconds(30);
  absl::Duration keepalive = absl::Seconds(30);
  std::string log_level = "info", log_format = "text", log_file, audit_file;
};

void BindCasdConfig(base::ConfigReader& reader, CasdConfig& config);
// What the keys say together: listen without TLS off loopback, roles, … InvalidArgument.
absl::Status CheckCasdConfig(const CasdConfig& config);

// What the process was built from, for the metric, the log and clients that ask.
struct BuildInfo {
  std::string version, commit;
};

// Of the program, which reads the configuration: whether what it read last is in force.
base::Gauge& AddReloadGauge(base::Metrics& metrics);

class Casd {
 public:
  // Unavailable: an address is taken (exit 3). PermissionDenied: the storage directory, naming
  // user, path and mode (exit 3). Aborted: it is locked (exit 5). Opens no listener before the
  // storage is.
  static base::Owned<Casd> Start(const CasdConfig& config, base::World& world, base::Loop& loop,
                                 base::Pool& io_pool, base::Metrics& metrics,
                                 const MakeIndex& make_index, const BuildInfo& build);
  virtual ~Casd() = default;
  virtual int port(absl::string_view role) const = 0;  // 0: the role is off
  virtual absl::Status Reload() = 0;                   // SIGHUP: certificates, keys file
  // Readiness false, lame_duck, GOAWAY, streams until drain_timeout (Z41).
  virtual void Drain() = 0;
};

}  // namespace slipway::cas
