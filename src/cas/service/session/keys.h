// The keys file (Z144, DECISIONS 4): who may do what, by SHA-256 of a key. Lines
//   <sha256 hex of the key> <subject> <role>[,role]
// with roles read, write, admin; blank lines and lines that begin with # are left out.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/sync/mutex.h"
#include "cas/service/session/roles.h"

namespace slipway::cas {

// Thread-compatible; const after ParseKeys.
class Keys {
 public:
  // Who has the key; nullopt: nobody. Looks at every entry, whatever matches.
  std::optional<Identity> Find(absl::string_view key) const;
  // Whether the subject of `identity` has a key for its role, or for more.
  bool Grants(const Identity& identity) const;
  size_t size() const { return entries_.size(); }

 private:
  friend absl::StatusOr<Keys> ParseKeys(absl::string_view text, absl::string_view name);
  std::vector<std::pair<base::Sha256Digest, Identity>> entries_;
};

// InvalidArgument with `name` and the line: not three words, no SHA-256 in lower case, an unknown
// role, a key or twice. Never quotes a word that could be a key.
absl::StatusOr<Keys> ParseKeys(absl::string_view text, absl::string_view name);

// The keys of a file, read again when it changed. Thread-safe; Reload blocks, Find never does.
class KeysFile {
 public:
  KeysFile(base::Files& files, std::string path);
  // Reads the file; nothing happens when it is as it was. An error leaves the old keys in force:
  // those of ReadSecretFile (readable by others: PermissionDenied) and ParseKeys.
  absl::Status Reload();
  std::optional<Identity> Find(absl::string_view key) const;
  bool Grants(const Identity& identity) const;

 private:
  std::shared_ptr<const Keys> Current() const;

  base::Files& files_;
  const std::string path_;
  mutable base::Mutex mutex_;
  base::Sha256Digest content_ ABSL_GUARDED_BY(mutex_){};
  std::shared_ptr<const Keys> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::cas
