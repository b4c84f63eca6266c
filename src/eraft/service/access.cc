#include "eraft/service/access.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutant.h"

namespace slipway::eraft {
namespace {

constexpr absl::string_view kPeerRole = "peer";

bool FromThisMachine(absl::string_view peer) {
  return absl::StartsWith(peer, "ipv4:127.") || absl::StartsWith(peer, "ipv6:[::1]:") ||
         absl::StartsWith(peer, "ipv6:[::ffff:127.") || absl::StartsWith(peer, "unix:");
}

// The highest of its roles.
Role RoleOf(const base::net::TokenGrant& grant) {
  Role role = Role::kNone;
  for (const std::string& name : grant.roles) {
    role = std::max(role, base::net::ParseRole(name).value_or(Role::kNone));
  }
  return role;
}

}  // namespace

Access::Access(Options options, const base::net::TokenFile* tokens, base::Counter& failures)
    : options_(std::move(options)), tokens_(tokens), failures_(failures) {}

absl::StatusOr<Caller> Access::Identify(const base::net::Call& call) const {
  const std::vector<std::string>& admins = options_.admin_san;
  for (const std::string& name : call.names) {
    if (!name.empty() && std::find(admins.begin(), admins.end(), name) != admins.end()) {
      return Caller{name, Role::kAdmin};
    }
  }
  if (tokens_ == nullptr) {
    const bool admin =
        options_.insecure_admin || (!options_.encrypted && FromThisMachine(call.peer));
    return Caller{call.subject, admin ? Role::kAdmin : Role::kWrite};
  }
  if (SLIPWAY_MUTANT("kv-token-unchecked")) return Caller{"", Role::kAdmin};
  const absl::StatusOr<base::net::TokenGrant> grant = GrantOf(call);
  if (!grant.ok()) return grant.status();
  return Caller{grant->subject, RoleOf(*grant)};
}

absl::StatusOr<base::net::TokenGrant> Access::GrantOf(const base::net::Call& call) const {
  const std::optional<absl::string_view> token = base::net::BearerTokenOf(call.authorization);
  if (!token.has_value() || token->empty()) {
    return absl::UnauthenticatedError(
        "check token: there is none; send it as authorization: Bearer");
  }
  std::optional<base::net::TokenGrant> grant = tokens_->Find(*token);
  if (!grant.has_value()) return absl::UnauthenticatedError("check token: nobody here has it");
  return *std::move(grant);
}

absl::Status Access::CheckPeer(const base::net::Call& call) const {
  if (tokens_ == nullptr) return absl::OkStatus();
  absl::StatusOr<base::net::TokenGrant> grant = GrantOf(call);
  absl::Status status = grant.status();
  if (status.ok() &&
      std::find(grant->roles.begin(), grant->roles.end(), kPeerRole) == grant->roles.end()) {
    status = absl::PermissionDeniedError(
        "check role: a node shows a token of the role peer; set its --peer-token-file");
  }
  if (!status.ok()) failures_.Increment();
  return status;
}

// Where there are no tokens: who has the role of an administrator.
absl::string_view Access::AdminsText() const {
  if (tokens_ != nullptr) return "";
  if (!options_.encrypted) {
    return "; without TLS and tokens only callers on the server's own machine have it";
  }
  return options_.admin_san.empty()
             ? "; the server's --admin-san or --auth-token-file says who has it"
             : "; without tokens only certificates with a name of the server's --admin-san have it";
}

absl::StatusOr<Caller> Access::Check(const base::net::Call& call, Role needed,
                                     std::string* denied) const {
  absl::StatusOr<Caller> caller = Identify(call);
  if (caller.ok() && caller->role < needed && !SLIPWAY_MUTANT("kv-role-unchecked")) {
    if (denied != nullptr) *denied = caller->subject;
    caller = absl::PermissionDeniedError(
        absl::StrCat("check role: you have ", base::net::RoleName(caller->role), ", this needs ",
                     base::net::RoleName(needed), AdminsText()));
  }
  if (!caller.ok()) failures_.Increment();
  return caller;
}

}  // namespace slipway::eraft
