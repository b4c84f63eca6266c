// Who a caller is and whether that suffices (E191). Thread-safe; never blocks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/metrics/metrics.h"
#include "base/net/call.h"
#include "base/net/roles.h"
#include "base/net/token_file.h"

namespace slipway::eraft {

// A token of the role peer has none of these: see CheckPeer.
using base::net::Role;

struct Caller {
  std::string subject;  // empty: nobody in particular
  Role role = Role::kNone;
};

class Access {
 public:
  struct Options {
    bool encrypted = false;  // callers come over TLS
    bool insecure_admin = false;
    std::vector<std::string> admin_san;
  };
  // `tokens`: null: none are asked for.
  Access(Options options, const base::net::TokenFile* tokens, base::Counter& failures);

  // The role of a caller, which is `needed` or more. A certificate with a name of admin_san is
  // admin. With a file of tokens others need one; without, everybody may read and write, and
  // administer from this machine where nothing is encrypted, or with insecure_admin.
  // Unauthenticated, PermissionDenied; then `denied`, which may be null, gets the subject.
  absl::StatusOr<Caller> Check(const base::net::Call& call, Role needed,
                               std::string* denied = nullptr) const;

  // Whether a caller may be another node: its token has the role peer. Unauthenticated,
  // PermissionDenied.
  absl::Status CheckPeer(const base::net::Call& call) const;

  static std::vector<std::string> RoleNames() { return {"read", "write", "admin", "peer"}; }

 private:
  absl::StatusOr<Caller> Identify(const base::net::Call& call) const;
  absl::StatusOr<base::net::TokenGrant> GrantOf(const base::net::Call& call) const;
  absl::string_view AdminsText() const;

  const Options options_;
  const base::net::TokenFile* const tokens_;
  base::Counter& failures_;
};

}  // namespace slipway::eraft
