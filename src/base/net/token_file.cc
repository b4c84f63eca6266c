#include "base/net/token_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/config/secret.h"
#include "base/log/log.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

absl::StatusOr<TokenGrant> ParseLine(absl::string_view line,
                                     const std::vector<std::string>& roles) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.size() != 3) {
    return absl::InvalidArgumentError(
        "expected \"<sha256 hex of the token> <subject> <role>[,role]\"");
  }
  const absl::StatusOr<Bytes> hash = FromHex(words[0]);
  TokenGrant grant;
  if (!hash.ok() || hash->size() != grant.token.size()) {
    return absl::InvalidArgumentError(
        "the first word is not 64 lower-case hex digits; make it with: printf %s TOKEN | "
        "sha256sum");
  }
  std::copy(hash->begin(), hash->end(), grant.token.begin());
  grant.subject = std::string(words[1]);
  for (const absl::string_view role : absl::StrSplit(words[2], ',')) {
    if (std::find(roles.begin(), roles.end(), role) == roles.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the third word names an unknown role; roles are ", absl::StrJoin(roles, ", ")));
    }
    grant.roles.emplace_back(role);
  }
  return grant;
}

}  // namespace

absl::StatusOr<std::vector<TokenGrant>> ParseTokens(absl::string_view text, absl::string_view name,
                                                    const std::vector<std::string>& roles) {
  std::vector<TokenGrant> grants;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    auto grant = ParseLine(line, roles);
    if (!grant.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("read tokens ", name, ":", number, ": ", grant.status().message()));
    }
    for (const TokenGrant& known : grants) {
      if (known.token != grant->token) continue;
      return absl::InvalidArgumentError(absl::StrCat("read tokens ", name, ":", number,
                                                     ": the token of ", known.subject,
                                                     " again; each token stands once"));
    }
    grants.push_back(*std::move(grant));
  }
  return grants;
}

TokenFile::TokenFile(Files& files, std::string path, std::vector<std::string> roles)
    : files_(files),
      path_(std::move(path)),
      roles_(std::move(roles)),
      grants_(std::make_shared<const Grants>()) {}

absl::Status TokenFile::Reload() {
  absl::StatusOr<SecretFile> file = ReadSecretFile(files_, path_);
  if (!file.ok()) return Annotate(file.status(), "read tokens");
  const Sha256Digest content = Sha256Of(AsBytes(file->secret.Reveal()));
  {
    MutexLock lock(mutex_);
    if (content == content_) return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(Grants grants, ParseTokens(file->secret.Reveal(), path_, roles_));
  SLIPWAY_LOG(kInfo, "tokens loaded", {{"file", path_}, {"tokens", grants.size()}});
  if (!file->warning.empty()) SLIPWAY_LOG(kWarn, file->warning, {{"file", path_}});
  auto shared = std::make_shared<const Grants>(std::move(grants));
  MutexLock lock(mutex_);
  content_ = content;
  grants_ = std::move(shared);
  return absl::OkStatus();
}

std::optional<TokenGrant> TokenFile::Find(absl::string_view token) const {
  std::shared_ptr<const Grants> grants;
  {
    MutexLock lock(mutex_);
    grants = grants_;
  }
  const Sha256Digest hash = Sha256Of(AsBytes(token));
  const TokenGrant* found = nullptr;
  for (const TokenGrant& grant : *grants) {
    if (EqualConstantTime(grant.token, hash)) found = &grant;
  }
  return found == nullptr ? std::nullopt : std::optional<TokenGrant>(*found);
}

std::optional<absl::string_view> BearerTokenOf(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return std::nullopt;
  return absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
}

}  // namespace slipway::base::net
