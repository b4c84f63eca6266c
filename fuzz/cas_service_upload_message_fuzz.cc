// Any bytes as messages of the transport: what is accepted is the same however gRPC cuts it into
// slices, and the pieces of a chunk are views of them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "cas/service/session/wire.h"

using slipway::base::BytesView;
using slipway::cas::UploadMessage;

namespace {

bool Within(BytesView piece, BytesView whole) {
  return piece.empty() || (piece.data() >= whole.data() &&
                           piece.data() + piece.size() <= whole.data() + whole.size());
}

std::string TextOf(const UploadMessage& message, BytesView whole) {
  std::string text;
  for (const BytesView& piece : message.chunk) {
    SLIPWAY_CHECK(Within(piece, whole));
    text.append(piece.begin(), piece.end());
  }
  SLIPWAY_CHECK(text.size() == message.chunk_bytes);
  return text;
}

bool Same(const slipway::cas::WireResource& a, const slipway::cas::WireResource& b) {
  return a.has_digest == b.has_digest && a.size_bytes == b.size_bytes && a.blake3 == b.blake3 &&
         a.has_range == b.has_range && a.start == b.start && a.length == b.length;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const BytesView whole(data, size);
  const size_t cut = size == 0 ? 0 : data[0] % (size + 1);
  const BytesView slices[] = {whole.subspan(0, cut), {}, whole.subspan(cut)};
  const auto one = slipway::cas::ParseUploadMessage({whole});
  const auto two = slipway::cas::ParseUploadMessage(slices);
  SLIPWAY_CHECK(one.ok() == two.ok());
  if (one.ok()) {
    SLIPWAY_CHECK(one->kind == two->kind);
    SLIPWAY_CHECK(TextOf(*one, whole) == TextOf(*two, whole));
    SLIPWAY_CHECK(Same(one->metadata, two->metadata));
    SLIPWAY_CHECK(one->metadata.blake3.size() <= size);
  }
  const auto get = slipway::cas::ParseDownloadMessage({whole});
  const auto get_cut = slipway::cas::ParseDownloadMessage(slices);
  SLIPWAY_CHECK(get.ok() == get_cut.ok());
  if (get.ok() && get->has_value()) {
    SLIPWAY_CHECK(Same(**get, **get_cut));
    const auto digest = slipway::cas::DigestOf(**get);
    SLIPWAY_CHECK(digest.ok() == ((*get)->has_digest && (*get)->blake3.size() == 32));
  }
  return 0;
}
