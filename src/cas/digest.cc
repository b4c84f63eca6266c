#include "cas/digest.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/digest/blake3.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

constexpr absl::string_view kPrefix = "blake3:";
// A text of a peer may be of any length; a message shows its beginning.
constexpr size_t kShownBytesMax = 120;

absl::Status BadDigest(absl::string_view text, absl::string_view why) {
  const std::string shown = base::EscapeForTerminal(text.substr(0, kShownBytesMax));
  return absl::InvalidArgumentError(
      absl::StrCat("parse digest \"", shown, text.size() > kShownBytesMax ? "…" : "", "\": ", why,
                   "; a digest is blake3:<64 lower-case hex digits>/<size in bytes>"));
}

}  // namespace

std::string Digest::Hex() const { return base::ToHex(blake3); }

std::string Digest::ToString() const { return absl::StrCat(kPrefix, Hex(), "/", size_bytes); }

absl::StatusOr<Hash> ParseHash(absl::string_view hex) {
  if (hex.size() != 2 * kHashBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("parse hash: it has ", hex.size(), " characters, not 64 hexadecimal digits"));
  }
  const absl::StatusOr<base::Bytes> bytes = base::FromHex(hex);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(
        "parse hash: it has characters that are not lower-case hexadecimal digits");
  }
  Hash hash;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

absl::StatusOr<Digest> ParseDigest(absl::string_view text) {
  if (!absl::StartsWith(text, kPrefix)) return BadDigest(text, "it does not begin with blake3:");
  const absl::string_view rest = text.substr(kPrefix.size());
  const size_t slash = rest.find('/');
  if (slash == absl::string_view::npos) return BadDigest(text, "it has no size");
  const absl::StatusOr<Hash> hash = ParseHash(rest.substr(0, slash));
  if (!hash.ok()) return BadDigest(text, hash.status().message());
  const absl::string_view size = rest.substr(slash + 1);
  uint64_t size_bytes = 0;
  // SimpleAtoi takes signs and blanks; one digest has one text.
  const bool digits = !size.empty() && std::all_of(size.begin(), size.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || (size.size() > 1 && size[0] == '0')) {
    return BadDigest(text, "its size is not a plain decimal number");
  }
  if (!absl::SimpleAtoi(size, &size_bytes)) return BadDigest(text, "its size is over 64 bits");
  return Digest{*hash, size_bytes};
}

absl::StatusOr<Digest> MakeDigest(base::BytesView hash, uint64_t size_bytes) {
  if (hash.size() != kHashBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("digest: its BLAKE3 hash has ", hash.size(), " bytes, not ", kHashBytes));
  }
  Digest digest{{}, size_bytes};
  std::copy(hash.begin(), hash.end(), digest.blake3.begin());
  return digest;
}

Digest DigestOf(base::BytesView data) { return {base::Blake3Of(data), data.size()}; }

}  // namespace slipway::cas
