// SHA-256 and BLAKE3 of the same bytes, which are brought into the cache once: for what arrives
// under the one name and is stored under the other (Z84). Thread-compatible.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/digest/blake3.h"
#include "base/digest/sha256.h"

namespace slipway::base {

struct DualDigest {
  Blake3Digest blake3;
  Sha256Digest sha256;
};

class DualHash {
 public:
  void Update(BytesView data);
  // The digests of all data so far; afterwards the object hashes a new message.
  DualDigest Finish();

 private:
  Blake3 blake3_;
  Sha256 sha256_;
};

}  // namespace slipway::base
