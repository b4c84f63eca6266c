// Any bytes as a point, a scalar and hex: decoding ends, and what decodes encodes to the same
// bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/input.h"

namespace kzg = slipway::kzg;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const kzg::BytesView bytes(data, size);
  const auto point = kzg::ReadPoint(bytes.subspan(0, std::min(size, kzg::kBytesPerG1)), {"point"});
  if (point.ok()) {
    const kzg::Bytes48 again = kzg::WritePoint(*point);
    SLIPWAY_CHECK(std::equal(again.begin(), again.end(), data));
  }
  const auto scalar =
      kzg::ReadScalar(bytes.subspan(0, std::min(size, kzg::kBytesPerFieldElement)), {"scalar"});
  if (scalar.ok()) {
    const kzg::Bytes32 again = kzg::WriteScalar(*scalar);
    SLIPWAY_CHECK(std::equal(again.begin(), again.end(), data));
  }
  const auto hex = kzg::DecodeHex(slipway::base::AsText(bytes), {"hex"});
  if (hex.ok()) SLIPWAY_CHECK(hex->size() * 2 <= size);
  return 0;
}
