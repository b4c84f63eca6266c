#include "base/digest/xxh3.h"

#include <xxhash.h>

namespace slipway::base {

Xxh3Digest Xxh3Of(BytesView data) {
  const XXH128_hash_t hash = XXH3_128bits(data.data(), data.size());
  return {hash.low64, hash.high64};
}

}  // namespace slipway::base
