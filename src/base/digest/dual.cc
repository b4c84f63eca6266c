#include "base/digest/dual.h"

#include <algorithm>

namespace slipway::base {
namespace {

// Stays in the second-level cache between the two hashes, and is a whole subtree of BLAKE3.
constexpr size_t kPieceBytes = 128 * 1024;

}  // namespace

void DualHash::Update(BytesView data) {
  while (!data.empty()) {
    const BytesView piece = data.subspan(0, kPieceBytes);
    sha256_.Update(piece);
    blake3_.Update(piece);
    data.remove_prefix(piece.size());
  }
}

DualDigest DualHash::Finish() {
  const DualDigest digest = {blake3_.Finish(), sha256_.Finish()};
  blake3_ = Blake3();
  return digest;
}

}  // namespace slipway::base
