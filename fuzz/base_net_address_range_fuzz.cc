// What a range of addresses comes to is as many texts as it says, all different, and none with a
// range in it.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "base/check.h"
#include "base/net/address_range.h"

using slipway::base::net::ExpandRange;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMost = 64;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto texts = ExpandRange(text, kMost);
  if (!texts.ok()) return 0;
  SLIPWAY_CHECK(!texts->empty());
  SLIPWAY_CHECK(texts->size() <= kMost);
  SLIPWAY_CHECK(std::set<std::string>(texts->begin(), texts->end()).size() == texts->size());
  for (const std::string& one : *texts) {
    const auto again = ExpandRange(one, 1);
    SLIPWAY_CHECK(again.ok());
    SLIPWAY_CHECK(again->front() == one);
  }
  return 0;
}
