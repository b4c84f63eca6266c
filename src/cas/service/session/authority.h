// Who a caller is and whether that suffices (Z7, Z8, Z144). Thread-safe; never blocks.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/metrics/metrics.h"
#include "base/net/call.h"
#include "cas/service/session/keys.h"
#include "cas/service/session/roles.h"
#include "cas/service/session/tokens.h"

namespace slipway::cas {

enum class AuthMode : uint8_t { kNone, kKeys, kMtls };

struct AuthMetrics {
  explicit AuthMetrics(base::Metrics& m);
  base::Counter& issued;
  base::Gauge& active;
  base::Counter& missing;  // refusals, by reason
  base::Counter& unknown;
  base::Counter& role;
};

class Authority {
 public:
  struct Options {
    AuthMode mode = AuthMode::kNone;
    bool require_token = true;
  };
  // `keys` may be null unless the mode is kKeys; with kMtls it raises those who send a key.
  Authority(Options options, Tokens& tokens, KeysFile* keys, AuthMetrics& metrics);

  // Callers of the CAS and of the administration. kNone: everybody is admin. kKeys: a key of the
  // file. kMtls: the subject of the certificate has the role write, unless a key gives another.
  // Unauthenticated, PermissionDenied.
  absl::StatusOr<Identity> Caller(const base::net::Call& call, Role needed);
  // Callers of the transport: a token, whose key, if it was given for one, is still in force; or,
  // where none is required, as above.
  absl::StatusOr<Identity> Transport(const base::net::Call& call, Role needed);

  // A token for what `identity` may do.
  absl::StatusOr<Tokens::Issued> IssueToken(const Identity& identity);

 private:
  absl::StatusOr<Identity> Identify(const base::net::Call& call) const;
  absl::StatusOr<Identity> Count(absl::StatusOr<Identity> identity, bool sent_something);

  const Options options_;
  Tokens& tokens_;
  KeysFile* const keys_;
  AuthMetrics& metrics_;
};

// What follows "Bearer " in the value of the header; nullopt: it is none.
std::optional<absl::string_view> BearerOf(absl::string_view authorization);

}  // namespace slipway::cas
