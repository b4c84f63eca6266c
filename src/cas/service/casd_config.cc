// The keys of zako-casd's configuration and what they say together.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log/log.h"
#include "base/net/endpoint.h"
#include "base/status.h"
#include "cas/service/address.h"
#include "cas/service/casd.h"

namespace slipway::cas {
namespace {

using Config = CasdConfig;

constexpr uint64_t kChunkBytesMin = 4 << 10;
constexpr uint64_t kChunkBytesMax = 3 << 20;  // with its header below gRPC's 4 MiB (Z12)
constexpr int kIoMax = 1024;

constexpr absl::string_view kRoles[] = {"cas", "transport", "admin", "http"};

constexpr std::pair<absl::string_view, AuthMode> kAuthModes[] = {
    {"none", AuthMode::kNone}, {"keys", AuthMode::kKeys}, {"mtls", AuthMode::kMtls}};
constexpr std::pair<absl::string_view, Config::TokenReuse> kTokenReuse[] = {
    {"session", Config::TokenReuse::kSession}, {"once", Config::TokenReuse::kOnce}};
constexpr std::pair<absl::string_view, Durability> kDurability[] = {
    {"strict", Durability::kStrict}, {"batch", Durability::kBatch}, {"none", Durability::kNone}};
constexpr std::pair<absl::string_view, bool> kVerifyOnRead[] = {{"sampled", true}, {"off", false}};

std::string CheckListen(absl::string_view text) {
  const auto endpoint = base::net::ParseEndpoint(text);
  return endpoint.ok() ? "" : std::string(endpoint.status().message());
}

std::string CheckLevel(absl::string_view text) {
  return base::ParseLogLevel(text).ok() ? "" : "choose debug, info, warn, error or off";
}

std::string CheckFormat(absl::string_view text) {
  return text == "text" || text == "json" ? "" : "choose text or json";
}

void BindListen(base::ConfigReader& reader, Config& config) {
  reader.Texts("roles", &config.roles, "What this server does: cas, transport, admin, http");
  constexpr char kWhere[] = "Address; without a host: loopback without TLS, all addresses with TLS";
  reader.Text("listen.cas", &config.listen_cas, kWhere, CheckListen);
  reader.Text("listen.transport", &config.listen_transport, kWhere, CheckListen);
  reader.Text("listen.http", &config.listen_http, kWhere, CheckListen);
  reader.Bool("insecure", &config.insecure,
              "Serve other machines without TLS: everybody there reads along");
  base::net::BindTls(reader, "tls", &config.tls);
}

void BindServices(base::ConfigReader& reader, Config& config) {
  reader.Text("transport.advertise", &config.transport_advertise,
              "IP address and port that clients are told; unset: as they reached the CAS");
  reader.Size("transport.chunk_size", &config.transport_chunk_bytes,
              "Bytes of one download message", kChunkBytesMin, kChunkBytesMax);
  reader.Int("cas.buffered_io_count", &config.buffered_io_count, 0, kIoMax,
             "Lookups of one stream at a time; 0: one a core");
  reader.Int("cas.recommended_concurrency", &config.recommended_concurrency, 0, kIoMax,
             "Streams a client is advised to open; 0: one a core");
  reader.Duration("cas.overload_delay", &config.overload_delay,
                  "Wait for the disk above which clients are advised to open fewer streams",
                  absl::Milliseconds(1));
  reader.Int("limits.max_streams", &config.streams_max, 1, 100'000, "Calls at a time");
  reader.Size("limits.max_blob", &config.store.blob_bytes_max, "Size of the largest blob");
  reader.Duration("upload.idle_timeout", &config.idle_timeout,
                  "An upload ends when the client was silent for so long", absl::Milliseconds(100));
}

void BindAuth(base::ConfigReader& reader, Config& config) {
  reader.Enum<AuthMode>("auth.mode", &config.auth_mode, kAuthModes,
                        "How callers prove who they are");
  reader.Text("auth.keys_file", &config.auth_keys_file,
              "Lines <sha256 hex of the key> <subject> <role>[,role]; read again when it changes");
  reader.Bool("auth.require_token", &config.require_token,
              "Transfers need the token of GetTransportDetails");
  reader.Duration("auth.token_ttl", &config.token_ttl, "Life of a token after its last use",
                  absl::Seconds(1));
  reader.Enum<Config::TokenReuse>("auth.token_reuse", &config.token_reuse, kTokenReuse,
                                  "once: the first transfer consumes the token");
  reader.Int("auth.max_tokens", &config.tokens_max, 1, 10'000'000, "Tokens out at a time");
}

void BindStore(base::ConfigReader& reader, Config& config) {
  reader.Text("store.root", &config.store_root, "Directory of the store");
  reader.Enum<Durability>("store.durability", &config.store.durability, kDurability,
                          "batch: commits that come together share one sync");
  reader.Duration("store.batch_delay", &config.store.batch_delay_max,
                  "How long a commit waits for others", absl::ZeroDuration(), absl::Seconds(1));
  reader.Size("store.free_min", &config.store.free_bytes_min,
              "Uploads are refused when the disk has less room");
  reader.Enum<bool>("store.verify_on_read", &config.store.verify_first_read, kVerifyOnRead,
                    "sampled: the first read of a blob after start is checked");
  reader.Int("store.io_threads", &config.io_threads, 0, kIoMax,
             "Disk threads; 0: 32, or two a core");
}

void BindProcess(base::ConfigReader& reader, Config& config) {
  reader.Duration("server.lame_duck", &config.lame_duck,
                  "Between being not ready and refusing calls, at a stop");
  reader.Duration("server.drain_timeout", &config.drain_timeout,
                  "How long running calls may take to end, at a stop");
  reader.Duration("server.keepalive", &config.keepalive, "Pings to a silent client",
                  absl::Seconds(1));
  reader.Text("log.level", &config.log_level, "debug, info, warn, error, off", CheckLevel);
  reader.Text("log.format", &config.log_format, "text or json", CheckFormat);
  reader.Text("log.file", &config.log_file, "Rotated log file; unset: standard error");
  reader.Text("log.audit_file", &config.audit_file, "Who did what, as JSON lines");
}

// Keys of the specification that later versions will read.
void BindLater(base::ConfigReader& reader) {
  for (const absl::string_view key : {"listen.reapi",
                                      "auth.token_secret_file",
                                      "store.backend",
                                      "store.max_bytes",
                                      "store.max_entries",
                                      "store.high_watermark",
                                      "store.low_watermark",
                                      "store.min_lease",
                                      "store.inline_max",
                                      "store.compression",
                                      "store.level",
                                      "scrub",
                                      "upload.partial_ttl",
                                      "limits.rate_bytes",
                                      "limits.rate_requests",
                                      "memory_cache",
                                      "s3",
                                      "tier",
                                      "ac",
                                      "reapi",
                                      "http",
                                      "otel"}) {
    reader.Later(key);
  }
}

absl::Status CheckRoles(const Config& config) {
  if (config.roles.empty()) {
    return absl::InvalidArgumentError(
        "roles: none given; name at least one of cas, transport, "
        "admin, http");
  }
  for (const std::string& role : config.roles) {
    if (std::find(std::begin(kRoles), std::end(kRoles), role) == std::end(kRoles)) {
      return absl::InvalidArgumentError(
          absl::StrCat("roles: unknown role ", role, "; roles are ", absl::StrJoin(kRoles, ", ")));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckListener(const Config& config, absl::string_view key, const std::string& text) {
  const auto endpoint = base::net::ParseEndpoint(text);
  if (!endpoint.ok()) return base::Annotate(endpoint.status(), key);
  if (endpoint->host.empty() || base::net::IsLoopback(endpoint->host)) return absl::OkStatus();
  if (!config.tls.cert.empty() || config.insecure) return absl::OkStatus();
  return base::MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat(key, ": ", text, " is reached from other machines, and nothing is encrypted"),
      {"", "set tls.cert and tls.key, or insecure: true where the network itself is trusted"});
}

absl::Status CheckAuth(const Config& config) {
  if (config.auth_mode == AuthMode::kKeys && config.auth_keys_file.empty()) {
    return absl::InvalidArgumentError("auth.keys_file: it is needed with auth.mode keys");
  }
  if (config.auth_mode == AuthMode::kMtls &&
      config.tls.client_auth != base::net::ClientAuth::kRequire) {
    return absl::InvalidArgumentError(
        "tls.client_auth: auth.mode mtls needs require; clients must show a certificate");
  }
  return absl::OkStatus();
}

absl::Status CheckTls(const base::net::TlsOptions& tls) {
  if (tls.cert.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError("tls: cert and key go together; give both or none");
  }
  if (tls.cert.empty() && (!tls.ca.empty() || tls.client_auth != base::net::ClientAuth::kNone)) {
    return absl::InvalidArgumentError("tls.ca: it needs tls.cert and tls.key too");
  }
  if (tls.client_auth != base::net::ClientAuth::kNone && tls.ca.empty()) {
    return absl::InvalidArgumentError("tls.ca: it is needed to check the certificates of clients");
  }
  if (!tls.allowed_sans.empty() && tls.client_auth == base::net::ClientAuth::kNone) {
    return absl::InvalidArgumentError(
        "tls.allowed_sans: it names clients, but none is asked for a certificate; set "
        "tls.client_auth to require");
  }
  return absl::OkStatus();
}

}  // namespace

void BindCasdConfig(base::ConfigReader& reader, CasdConfig& config) {
  BindListen(reader, config);
  BindServices(reader, config);
  BindAuth(reader, config);
  BindStore(reader, config);
  BindProcess(reader, config);
  BindLater(reader);
}

absl::Status CheckCasdConfig(const CasdConfig& config) {
  SLIPWAY_RETURN_IF_ERROR(CheckRoles(config));
  SLIPWAY_RETURN_IF_ERROR(CheckTls(config.tls));
  SLIPWAY_RETURN_IF_ERROR(CheckListener(config, "listen.cas", config.listen_cas));
  SLIPWAY_RETURN_IF_ERROR(CheckListener(config, "listen.transport", config.listen_transport));
  SLIPWAY_RETURN_IF_ERROR(CheckListener(config, "listen.http", config.listen_http));
  SLIPWAY_RETURN_IF_ERROR(CheckAuth(config));
  if (config.store_root.empty()) return absl::InvalidArgumentError("store.root: it is empty");
  if (config.transport_advertise.empty()) return absl::OkStatus();
  return ParseAddress(config.transport_advertise).status();
}

}  // namespace slipway::cas
