// Messages as gRPC's slices, without copying. Private to cas/service. Thread-compatible.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "cas/service/session/buffers.h"
#include "cas/service/session/wire.h"

namespace slipway::cas {

// Views of a message's bytes; valid while this lives.
class SliceViews {
 public:
  explicit SliceViews(const grpc::ByteBuffer& buffer) : ok_(buffer.Dump(&slices_).ok()) {
    for (const grpc::Slice& slice : slices_) {
      views_.push_back(base::BytesView(slice.begin(), slice.size()));
    }
  }
  absl::Status status() const {
    return ok_ ? absl::OkStatus() : absl::InvalidArgumentError("read message: it has no bytes");
  }
  Slices views() const { return views_; }

 private:
  std::vector<grpc::Slice> slices_;
  const bool ok_;
  std::vector<base::BytesView> views_;
};

// Short ones: they are copied.
inline grpc::ByteBuffer BufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// A DownloadResponse whose data are the first `size` bytes of `data`, which gRPC gives back when
// they are sent.
inline grpc::ByteBuffer BufferOf(std::unique_ptr<Buffers::Buffer> data, size_t size) {
  const ChunkHeader header = DownloadHeader(size);
  uint8_t* const bytes = data->data();
  const grpc::Slice slices[2] = {
      grpc::Slice(header.bytes.data(), header.size),
      grpc::Slice(
          bytes, size, [](void* owner) { delete static_cast<Buffers::Buffer*>(owner); },
          data.release())};
  return grpc::ByteBuffer(slices, 2);
}

}  // namespace slipway::cas
