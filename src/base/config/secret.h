// A value that must not be seen. Thread-compatible.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/world.h"

namespace slipway::base {

// Prints as ***, compares in constant time, is wiped when it ends. There is no conversion to a
// string: Reveal() is the one place to look for.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value);  // takes the bytes over; wipes what is left in `value`
  ~Secret();
  Secret(const Secret& other) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;

  // Borrowed; do not copy, print or log it.
  absl::string_view Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret& a, const Secret& b);

  // For StrCat, logs and tests: always ***.
  std::string Masked() const { return "***"; }
  friend std::ostream& operator<<(std::ostream& out, const Secret& secret);

 private:
  void Wipe();
  std::string value_;
};

// Where a secret is to be found: `env:NAME`, `file:PATH`, else the text itself.
enum class SecretForm { kLiteral, kEnvironment, kFile };
std::pair<SecretForm, absl::string_view> ParseSecretForm(absl::string_view text);

struct SecretFile {
  Secret secret;
  std::string warning;  // readable by the group
};

// The content of `path` without its last line end. PermissionDenied when others can read the file;
// NotFound, ResourceExhausted (over 64 KiB), InvalidArgument (empty, not a file).
absl::StatusOr<SecretFile> ReadSecretFile(Files& files, absl::string_view path);

}  // namespace slipway::base
