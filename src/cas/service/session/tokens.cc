#include "cas/service/session/tokens.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/blake3.h"
#include "base/mutant.h"

namespace slipway::cas {
namespace {

absl::Status Unknown() {
  return absl::UnauthenticatedError(
      "use token: it is unknown or has expired; ask GetTransportDetails for a new one");
}

}  // namespace

std::string RandomUuid(base::Random& random) {
  std::array<uint8_t, 16> bytes{};
  random.Fill(absl::MakeSpan(bytes));
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // variant of RFC 4122
  const std::string hex = base::ToHex(bytes);
  const absl::string_view text(hex);
  return absl::StrCat(text.substr(0, 8), "-", text.substr(8, 4), "-", text.substr(12, 4), "-",
                      text.substr(16, 4), "-", text.substr(20));
}

Tokens::Tokens(Options options, base::Clock& clock, base::Random& random)
    : options_(options), clock_(clock), random_(random) {}

void Tokens::DropExpired() {
  const absl::Duration now = clock_.Monotonic();
  while (!entries_.empty() && entries_.front().expires_at <= now) {
    by_key_.erase(entries_.front().key);
    entries_.pop_front();
  }
}

Tokens::Entries::iterator Tokens::Find(const Key& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return entries_.end();
  // The table compares hashes of tokens, so its time tells nothing about a token; the equality that
  // decides is constant all the same.
  return base::EqualConstantTime(found->second->key, key) ? found->second : entries_.end();
}

absl::StatusOr<Tokens::Issued> Tokens::Issue(const Identity& scope) {
  Issued issued;
  issued.token = RandomUuid(random_);
  issued.expires_at = clock_.Wall() + options_.ttl;
  const Key key = base::Blake3Of(base::AsBytes(issued.token));
  issued.id = base::ToHex(key).substr(0, 16);
  base::MutexLock lock(mutex_);
  DropExpired();
  if (entries_.size() >= options_.tokens_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("issue token: ", options_.tokens_max,
                     " tokens are out (auth.max_tokens); try again when some have expired"));
  }
  entries_.push_back({key, scope, clock_.Monotonic() + options_.ttl});
  by_key_[key] = std::prev(entries_.end());
  return issued;
}

absl::StatusOr<Identity> Tokens::Accept(absl::string_view token, Role needed) {
  if (SLIPWAY_MUTANT("cas-skip-token")) return Identity{"", Role::kAdmin};
  if (token.empty()) {
    return absl::UnauthenticatedError(
        "use token: there is none; send the one of GetTransportDetails as authorization: Bearer");
  }
  const Key key = base::Blake3Of(base::AsBytes(token));
  base::MutexLock lock(mutex_);
  DropExpired();
  const Entries::iterator entry = Find(key);
  if (entry == entries_.end()) return Unknown();
  if (!Includes(entry->scope.role, needed)) {
    return absl::PermissionDeniedError(absl::StrCat("use token: it is for the role ",
                                                    RoleName(entry->scope.role), ", this needs ",
                                                    RoleName(needed)));
  }
  Identity scope = entry->scope;
  if (options_.once) {
    by_key_.erase(key);
    entries_.erase(entry);
    return scope;
  }
  entry->expires_at = clock_.Monotonic() + options_.ttl;
  entries_.splice(entries_.end(), entries_, entry);
  return scope;
}

bool Tokens::Revoke(absl::string_view token) {
  const Key key = base::Blake3Of(base::AsBytes(token));
  base::MutexLock lock(mutex_);
  const Entries::iterator entry = Find(key);
  if (entry == entries_.end()) return false;
  by_key_.erase(key);
  entries_.erase(entry);
  return true;
}

size_t Tokens::active() {
  base::MutexLock lock(mutex_);
  DropExpired();
  return entries_.size();
}

}  // namespace slipway::cas
