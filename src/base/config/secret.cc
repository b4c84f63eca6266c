#include "base/config/secret.h"

#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"

namespace slipway::base {
namespace {

constexpr uint64_t kSecretBytesMax = 64 * 1024;

// Through a volatile pointer, so that the compiler keeps the stores to memory about to be freed.
void WipeBytes(std::string& bytes) {
  bytes.resize(bytes.capacity());  // moves nothing; what an earlier, longer value left counts too
  volatile char* at = bytes.data();
  for (size_t i = 0; i < bytes.size(); ++i) at[i] = 0;
  bytes.clear();
}

}  // namespace

Secret::Secret(std::string value) : value_(std::move(value)) { WipeBytes(value); }
Secret::~Secret() { Wipe(); }
Secret::Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.Wipe(); }
Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    Wipe();
    value_ = other.value_;
  }
  return *this;
}
Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe();
    value_ = std::move(other.value_);
    other.Wipe();
  }
  return *this;
}

void Secret::Wipe() { WipeBytes(value_); }

bool operator==(const Secret& a, const Secret& b) {
  return EqualConstantTime(AsBytes(a.value_), AsBytes(b.value_));
}

std::ostream& operator<<(std::ostream& out, const Secret& secret) { return out << secret.Masked(); }

std::pair<SecretForm, absl::string_view> ParseSecretForm(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "env:")) return {SecretForm::kEnvironment, text};
  if (absl::ConsumePrefix(&text, "file:")) return {SecretForm::kFile, text};
  return {SecretForm::kLiteral, text};
}

absl::StatusOr<SecretFile> ReadSecretFile(Files& files, absl::string_view path) {
  // Mounted secrets are symbolic links into a versioned directory, so the path is resolved first.
  SLIPWAY_ASSIGN_OR_RETURN(const std::string real_path, files.Canonical(path));
  const auto [parent, name] = SplitPath(real_path);
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<Dir> dir,
                           files.OpenRoot(parent.empty() ? absl::string_view("/") : parent));
  SLIPWAY_ASSIGN_OR_RETURN(const Meta named, dir->Stat(name));
  if (named.kind != FileKind::kFile) {
    return absl::InvalidArgumentError(
        absl::StrCat("read secret ", path, ": not a regular file; name a file"));
  }
  // From here on only what was opened counts: the name may lead elsewhere by now.
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, dir->Open(name, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const Meta meta, file->Stat());
  if ((meta.mode & 0007) != 0) {
    return absl::PermissionDeniedError(
        absl::StrFormat("read secret %s: others may read or write it (mode %04o); run chmod 600 %s",
                        path, meta.mode & 07777, path));
  }
  std::string text(kSecretBytesMax + 1, '\0');
  SLIPWAY_ASSIGN_OR_RETURN(
      const size_t size,
      file->ReadAt(0, absl::MakeSpan(reinterpret_cast<uint8_t*>(text.data()), text.size())));
  if (size > kSecretBytesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("read secret ", path, ": more than the limit of ", kSecretBytesMax, " bytes"));
  }
  text.resize(size);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  if (text.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("read secret ", path, ": the file is empty; write the secret into it"));
  }
  SecretFile result;
  result.secret = Secret(std::move(text));
  if ((meta.mode & 0070) != 0) {
    result.warning = absl::StrFormat("secret file %s: its group may read it (mode %04o)", path,
                                     meta.mode & 07777);
  }
  return result;
}

}  // namespace slipway::base
