#include "base/random.h"

#include "base/bytes.h"
#include "base/check.h"

namespace slipway::base {

uint64_t Random::Next() {
  uint8_t bytes[sizeof(uint64_t)];
  Fill(absl::MakeSpan(bytes));
  return LoadLittle<uint64_t>(bytes);
}

uint64_t Random::Below(uint64_t bound) {
  SLIPWAY_CHECK(bound > 0);
  // Rejects the values of the last, incomplete run of `bound`, so that every result is equally
  // likely.
  const uint64_t reject_from = UINT64_MAX - UINT64_MAX % bound;
  uint64_t value;
  do {
    value = Next();
  } while (value >= reject_from);
  return value % bound;
}

std::string Random::Hex(size_t bytes) {
  Bytes buffer(bytes);
  Fill(absl::MakeSpan(buffer));
  return ToHex(buffer);
}

}  // namespace slipway::base
