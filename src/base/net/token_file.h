// Tokens of callers, by their SHA-256 (DECISIONS 4): a file of lines
//   <sha256 hex of the token> <subject> <role>[,role]
// Blank lines and lines that begin with # are left out. What a role allows is its user's business.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {

struct TokenGrant {
  Sha256Digest token{};
  std::string subject;
  std::vector<std::string> roles;
};

// InvalidArgument with `name` and the line: not three words, no SHA-256 in lower case, a role that
// is none of `roles`, a token for the second time. Never quotes a word that could be a token.
absl::StatusOr<std::vector<TokenGrant>> ParseTokens(absl::string_view text, absl::string_view name,
                                                    const std::vector<std::string>& roles);

// Thread-safe. Reload blocks on the file, Find never does.
class TokenFile {
 public:
  TokenFile(Files& files, std::string path, std::vector<std::string> roles);
  // Reads the file; nothing happens when it is as it was. An error leaves the tokens from before in
  // force: those of ReadSecretFile (readable by others: PermissionDenied) and ParseTokens.
  absl::Status Reload();
  // Who has `token`; nullopt: nobody. Looks at every entry, whatever matches.
  std::optional<TokenGrant> Find(absl::string_view token) const;

 private:
  using Grants = std::vector<TokenGrant>;
  Files& files_;
  const std::string path_;
  const std::vector<std::string> roles_;
  mutable Mutex mutex_;
  Sha256Digest content_ ABSL_GUARDED_BY(mutex_){};
  std::shared_ptr<const Grants> grants_ ABSL_GUARDED_BY(mutex_);
};

// What follows "Bearer " in the value of the header; nullopt: it is none.
std::optional<absl::string_view> BearerTokenOf(absl::string_view authorization);

}  // namespace slipway::base::net
