#include "cas/service/session/authority.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace slipway::cas {
namespace {

base::Counter& Failures(base::Metrics& m, absl::string_view reason) {
  return m.AddCounter("zako_auth_failures_total", "Calls refused for who makes them, by reason.",
                      {{"reason", std::string(reason)}});
}

}  // namespace

AuthMetrics::AuthMetrics(base::Metrics& m)
    : issued(m.AddCounter("zako_tokens_issued_total", "Transport tokens issued.")),
      active(m.AddGauge("zako_tokens_active", "Transport tokens that have not expired.")),
      missing(Failures(m, "missing")),
      unknown(Failures(m, "unknown")),
      role(Failures(m, "role")) {}

std::optional<absl::string_view> BearerOf(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return std::nullopt;
  return absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
}

Authority::Authority(Options options, Tokens& tokens, KeysFile* keys, AuthMetrics& metrics)
    : options_(options), tokens_(tokens), keys_(keys), metrics_(metrics) {
  SLIPWAY_CHECK(options_.mode != AuthMode::kKeys || keys_ != nullptr);
}

absl::StatusOr<Identity> Authority::Identify(const base::net::Call& call) const {
  if (options_.mode == AuthMode::kNone) return Identity{call.subject, Role::kAdmin};
  const std::optional<absl::string_view> key = BearerOf(call.authorization);
  if (keys_ != nullptr && key.has_value() && !key->empty()) {
    std::optional<Identity> found = keys_->Find(*key);
    if (found.has_value()) return *std::move(found);
    return absl::UnauthenticatedError("check key: nobody here has it");
  }
  if (options_.mode == AuthMode::kMtls && !call.subject.empty()) {
    return Identity{call.subject, Role::kWrite};
  }
  return absl::UnauthenticatedError(
      options_.mode == AuthMode::kMtls
          ? "check certificate: there is none; connect with a client certificate"
          : "check key: there is none; send it as authorization: Bearer");
}

absl::StatusOr<Identity> Authority::Count(absl::StatusOr<Identity> identity, bool sent_something) {
  if (absl::IsPermissionDenied(identity.status())) metrics_.role.Increment();
  if (absl::IsUnauthenticated(identity.status())) {
    (sent_something ? metrics_.unknown : metrics_.missing).Increment();
  }
  return identity;
}

absl::StatusOr<Identity> Authority::Caller(const base::net::Call& call, Role needed) {
  absl::StatusOr<Identity> identity = Identify(call);
  if (identity.ok() && !Includes(identity->role, needed)) {
    identity = absl::PermissionDeniedError(absl::StrCat(
        "check role: you have ", RoleName(identity->role), ", this needs ", RoleName(needed)));
  }
  return Count(std::move(identity), !call.authorization.empty());
}

absl::StatusOr<Identity> Authority::Transport(const base::net::Call& call, Role needed) {
  if (!options_.require_token) return Caller(call, needed);
  const absl::string_view token = BearerOf(call.authorization).value_or("");
  absl::StatusOr<Identity> identity = tokens_.Accept(token, needed);
  // A key that is taken away, or lowered, takes along the tokens it was used to get: they would
  // live as long as they are used.
  if (identity.ok() && identity->by_key && !keys_->Grants(*identity)) {
    tokens_.Revoke(token);
    identity = absl::UnauthenticatedError(
        "use token: the key that it was given for is not in force any more");
  }
  return Count(std::move(identity), !token.empty());
}

absl::StatusOr<Tokens::Issued> Authority::IssueToken(const Identity& identity) {
  absl::StatusOr<Tokens::Issued> issued = tokens_.Issue(identity);
  if (issued.ok()) metrics_.issued.Increment();
  metrics_.active.Set(static_cast<double>(tokens_.active()));
  return issued;
}

}  // namespace slipway::cas
