// A MANIFEST or a chunk of a snapshot from another node is refused, or stays what it was read as.
// The checksum is made to fit: what stands behind it is looked at.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "eraft/store/manifest.h"
#include "eraft/store/snapshot_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace base = slipway::base;
  namespace eraft = slipway::eraft;
  const base::BytesView bytes(data, size);
  SLIPWAY_CHECK(!eraft::DecodeManifest(base::AsText(bytes)).ok() || size > 4);
  uint8_t crc[4];
  base::StoreLittle(crc, base::Crc32c(bytes));
  const std::string whole = absl::StrCat(base::AsText(bytes), base::AsText(crc));
  if (const auto manifest = eraft::DecodeManifest(whole); manifest.ok()) {
    const auto again = eraft::DecodeManifest(eraft::EncodeManifest(*manifest));
    SLIPWAY_CHECK(again.ok());
    SLIPWAY_CHECK(*again == *manifest);
    for (const eraft::SnapshotFile& file : manifest->files) {
      SLIPWAY_CHECK(file.name.find('/') == std::string::npos);
    }
  }
  const base::Sha256Digest digest{};
  if (size < 12) return 0;
  base::Bytes chunk(bytes.begin(), bytes.begin() + 12);
  const base::BytesView body = bytes.subspan(12);
  base::StoreLittle(crc, base::Crc32c(body, base::Crc32c(chunk, base::Crc32c(digest))));
  chunk.insert(chunk.end(), crc, crc + 4);
  chunk.insert(chunk.end(), body.begin(), body.end());
  if (const auto decoded = eraft::DecodeChunk(digest, chunk); decoded.ok()) {
    SLIPWAY_CHECK(eraft::EncodeChunk(digest, *decoded) == chunk);
  }
  return 0;
}
