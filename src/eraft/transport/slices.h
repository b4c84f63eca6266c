// Messages as gRPC's slices. Private to eraft/transport. Thread-compatible.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "eraft/transport/link/wire.h"

namespace slipway::eraft {

// Views of a message's bytes; valid while this lives.
class SliceViews {
 public:
  explicit SliceViews(const grpc::ByteBuffer& buffer) {
    if (!buffer.Dump(&slices_).ok()) return;  // it has no bytes
    for (const grpc::Slice& slice : slices_) {
      views_.push_back(base::BytesView(slice.begin(), slice.size()));
    }
  }
  link::Slices views() const { return views_; }

 private:
  std::vector<grpc::Slice> slices_;
  std::vector<base::BytesView> views_;
};

// Nothing is copied: gRPC lets go of the owners when the pieces are sent.
inline grpc::ByteBuffer BufferOf(link::OutMessage message) {
  std::vector<grpc::Slice> slices;
  slices.reserve(message.pieces.size());
  for (link::Piece& piece : message.pieces) {
    // Slices take a pointer that may be written to; gRPC does not.
    auto* const bytes = const_cast<uint8_t*>(piece.view.data());
    const size_t size = piece.view.size();
    auto* const owner = new std::shared_ptr<const base::Bytes>(std::move(piece.owner));
    slices.emplace_back(
        bytes, size,
        [](void* held) { delete static_cast<std::shared_ptr<const base::Bytes>*>(held); }, owner);
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace slipway::eraft
