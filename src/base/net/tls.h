// Certificates from files, checked before anything uses them, and watched for changes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config/reader.h"
#include "base/files.h"
#include "base/loop.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {

enum class ClientAuth : uint8_t { kNone, kRequest, kRequire };

// A server's, or a client's. Off while cert and ca are empty.
struct TlsOptions {
  std::string cert;  // PEM, own certificate first, then the intermediate ones
  std::string key;   // PEM
  std::string ca;  // PEM; server: who signs clients; client: who signs servers (system's if empty)
  ClientAuth client_auth = ClientAuth::kNone;
  std::string min_version = "1.2";        // "1.2" or "1.3"
  std::string server_name;                // client: expected name, if not the host
  std::vector<std::string> allowed_sans;  // server: DNS, IP or URI names of clients; empty: any
  absl::Duration reload = absl::Seconds(1);

  bool enabled() const { return !cert.empty() || !ca.empty(); }
};

// Declares tls.{cert,key,ca,client_auth,min_version,allowed_sans,reload} below `prefix` ("tls").
void BindTls(ConfigReader& reader, absl::string_view prefix, TlsOptions* options);

// A set that fits together. Never logged.
struct TlsMaterial {
  std::string cert_pem, key_pem, ca_pem;
  absl::Time not_before, not_after;  // of the own certificate; infinite without one
  std::string fingerprint;           // SHA-256 of the own certificate, hex
};

// Reads and checks: PEM parses; the key belongs to the certificate; `now` is within its time; the
// key file is not readable by others (PermissionDenied). NotFound, InvalidArgument,
// FailedPrecondition (expired, not yet valid, pair does not match), naming the file and the remedy.
absl::StatusOr<TlsMaterial> LoadTls(Files& files, const TlsOptions& options, absl::Time now);

// The material in force. A changed set is loaded within `options.reload`, or at once by Reload; a
// bad one is refused: the old one stays, and once two looks found the same (the files are replaced
// one after the other) the failure is logged and counted
// (`<prefix>_tls_reload_failures_total`; `<prefix>_tls_cert_not_after_timestamp_seconds`).
// Thread-safe; the callbacks run on a thread of the pool.
class TlsWatcher {
 public:
  // Loads the first set; its errors are those of LoadTls. Timers run on `loop`, reads on `pool`.
  static absl::StatusOr<std::shared_ptr<TlsWatcher>> Start(TlsOptions options, Files& files,
                                                           Clock& clock, Loop& loop, Pool& pool,
                                                           Metrics& metrics,
                                                           absl::string_view prefix);
  ~TlsWatcher();
  const TlsOptions& options() const;
  std::shared_ptr<const TlsMaterial> current() const;
  // Called after each successful change with the new set.
  void OnChange(std::function<void(std::shared_ptr<const TlsMaterial>)> callback);
  // Looks now (SIGHUP). OK when nothing changed or the new set is in force.
  absl::Status Reload();
  // No timer and no callback runs after this. Not from a callback.
  void Stop();

 private:
  struct State;
  explicit TlsWatcher(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace slipway::base::net
