// What a blob is called: BLAKE3 and size. Thread-safe: values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace slipway::cas {

inline constexpr size_t kHashBytes = 32;
using Hash = std::array<uint8_t, kHashBytes>;

struct Digest {
  Hash blake3{};
  uint64_t size_bytes = 0;

  std::string ToString() const;  // "blake3:<64 hex>/<size>"
  std::string Hex() const;       // the hash alone
  friend bool operator==(const Digest&, const Digest&) = default;
  friend bool operator<(const Digest& a, const Digest& b) {
    return a.blake3 != b.blake3 ? a.blake3 < b.blake3 : a.size_bytes < b.size_bytes;
  }
  template <class H>
  friend H AbslHashValue(H h, const Digest& d) {
    return H::combine(std::move(h), d.blake3, d.size_bytes);
  }
};

// "blake3:<64 lower-case hex>/<decimal size>", no leading zeros. InvalidArgument says what is
// wrong.
absl::StatusOr<Digest> ParseDigest(absl::string_view text);
// 64 hex digits, lower case.
absl::StatusOr<Hash> ParseHash(absl::string_view hex);
// InvalidArgument when `hash` is not 32 bytes.
absl::StatusOr<Digest> MakeDigest(base::BytesView hash, uint64_t size_bytes);
Digest DigestOf(base::BytesView data);

}  // namespace slipway::cas
