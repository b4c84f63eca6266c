#include "cas/service/session/keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/config/secret.h"
#include "base/log/log.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

constexpr char kForm[] = "expected \"<sha256 hex of the key> <subject> <role>[,role]\"";

absl::StatusOr<std::pair<base::Sha256Digest, Identity>> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.size() != 3) return absl::InvalidArgumentError(kForm);
  const absl::StatusOr<base::Bytes> hash = base::FromHex(words[0]);
  std::pair<base::Sha256Digest, Identity> entry;
  if (!hash.ok() || hash->size() != entry.first.size()) {
    return absl::InvalidArgumentError(
        "the first word is not 64 lower-case hex digits; make it with: printf %s KEY | sha256sum");
  }
  std::copy(hash->begin(), hash->end(), entry.first.begin());
  entry.second.subject = std::string(words[1]);
  entry.second.by_key = true;
  for (const absl::string_view name : absl::StrSplit(words[2], ',')) {
    const std::optional<Role> role = ParseRole(name);
    if (!role.has_value()) {
      return absl::InvalidArgumentError(
          "the third word names an unknown role; roles are read, "
          "write, admin");
    }
    entry.second.role = std::max(entry.second.role, *role);
  }
  return entry;
}

}  // namespace

std::optional<Identity> Keys::Find(absl::string_view key) const {
  const base::Sha256Digest hash = base::Sha256Of(base::AsBytes(key));
  std::optional<Identity> found;
  for (const auto& [known, identity] : entries_) {
    if (base::EqualConstantTime(known, hash)) found = identity;
  }
  return found;
}

bool Keys::Grants(const Identity& identity) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry.second.subject == identity.subject && Includes(entry.second.role, identity.role);
  });
}

absl::StatusOr<Keys> ParseKeys(absl::string_view text, absl::string_view name) {
  Keys keys;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    auto entry = ParseLine(line);
    if (!entry.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("read keys ", name, ":", number, ": ", entry.status().message()));
    }
    for (const auto& [known, identity] : keys.entries_) {
      if (known == entry->first) {
        return absl::InvalidArgumentError(absl::StrCat("read keys ", name, ":", number,
                                                       ": the key of ", identity.subject,
                                                       " again; each key stands once"));
      }
    }
    keys.entries_.push_back(*std::move(entry));
  }
  return keys;
}

KeysFile::KeysFile(base::Files& files, std::string path)
    : files_(files), path_(std::move(path)), keys_(std::make_shared<const Keys>()) {}

absl::Status KeysFile::Reload() {
  absl::StatusOr<base::SecretFile> file = base::ReadSecretFile(files_, path_);
  if (!file.ok()) return base::Annotate(file.status(), "read keys");
  const base::Sha256Digest content = base::Sha256Of(base::AsBytes(file->secret.Reveal()));
  {
    base::MutexLock lock(mutex_);
    if (content == content_) return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(Keys keys, ParseKeys(file->secret.Reveal(), path_));
  SLIPWAY_LOG(kInfo, "keys loaded", {{"file", path_}, {"keys", keys.size()}});
  if (!file->warning.empty()) SLIPWAY_LOG(kWarn, file->warning, {{"file", path_}});
  auto shared = std::make_shared<const Keys>(std::move(keys));
  base::MutexLock lock(mutex_);
  content_ = content;
  keys_ = std::move(shared);
  return absl::OkStatus();
}

std::shared_ptr<const Keys> KeysFile::Current() const {
  base::MutexLock lock(mutex_);
  return keys_;
}

std::optional<Identity> KeysFile::Find(absl::string_view key) const { return Current()->Find(key); }

bool KeysFile::Grants(const Identity& identity) const { return Current()->Grants(identity); }

}  // namespace slipway::cas
