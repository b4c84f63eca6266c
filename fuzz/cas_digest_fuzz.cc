// A digest that parses is written as the text it came from: one digest, one text.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "cas/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = slipway::base::AsText({data, size});
  const auto digest = slipway::cas::ParseDigest(text);
  if (digest.ok()) SLIPWAY_CHECK(digest->ToString() == text);
  const auto hash = slipway::cas::ParseHash(text);
  if (hash.ok()) SLIPWAY_CHECK(slipway::base::ToHex(*hash) == text);
  return 0;
}
