// Tokens of the transport, in random mode (Z7, Z8): a UUID of version 4 for each call of
// GetTransportDetails, remembered here until it expires. Thread-safe; never blocks.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/sync/mutex.h"
#include "cas/service/session/roles.h"

namespace slipway::cas {

// 128 bits as a UUID of version 4: 122 of them from `random`.
std::string RandomUuid(base::Random& random);

class Tokens {
 public:
  struct Options {
    absl::Duration ttl = absl::Seconds(600);  // slides with each use
    bool once = false;                        // the first accepted call consumes the token
    size_t tokens_max = 100'000;
  };
  Tokens(Options options, base::Clock& clock, base::Random& random);

  struct Issued {
    std::string token;  // shown once: only a hash of it is kept
    std::string id;     // for logs: tells the token, does not open anything
    absl::Time expires_at;
  };
  // ResourceExhausted when `tokens_max` tokens are out that have not expired.
  absl::StatusOr<Issued> Issue(const Identity& scope);
  // What the token was issued for. Unauthenticated: absent, unknown or expired (the text does not
  // tell which of the last two). PermissionDenied: its role is below `needed`; it is not consumed.
  absl::StatusOr<Identity> Accept(absl::string_view token, Role needed);
  // False: there was no such token.
  bool Revoke(absl::string_view token);
  // Tokens that have not expired.
  size_t active();

 private:
  using Key = std::array<uint8_t, 32>;  // BLAKE3 of the token: a table that leaks opens nothing
  struct Entry {
    Key key;
    Identity scope;
    absl::Duration expires_at;  // monotonic
  };
  using Entries = std::list<Entry>;

  void DropExpired() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entries::iterator Find(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  base::Clock& clock_;
  base::Random& random_;
  base::Mutex mutex_;
  // Soonest expiry first: the time to live is the same for all, so use moves an entry to the end.
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Key, Entries::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::cas
