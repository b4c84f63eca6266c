// A frame from another node is refused, or encodes to the very bytes it was read from. The checksum
// is made to fit: what stands behind it is looked at.
#include <cstddef>
#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "eraft/node/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace base = slipway::base;
  namespace eraft = slipway::eraft;
  base::Bytes bytes(data, data + size);
  eraft::DecodeFrame(bytes).status().IgnoreError();
  if (size < eraft::kFrameHeaderBytes) return 0;
  const base::BytesView view(bytes);
  base::StoreLittle(&bytes[8], base::Crc32c(view.subspan(12), base::Crc32c(view.subspan(0, 8))));
  const auto frame = eraft::DecodeFrame(bytes);
  if (!frame.ok()) return 0;
  const base::Bytes again = std::visit(
      [&](const auto& body) { return eraft::EncodeFrame(frame->group, body); }, frame->body);
  SLIPWAY_CHECK(again == bytes);
  return 0;
}
