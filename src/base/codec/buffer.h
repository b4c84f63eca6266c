// Memory for bytes to come, not set to zero first: at these sizes that costs as much as the work.
// Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/types/span.h"

namespace slipway::base::codec {

class Buffer {
 public:
  size_t size() const { return size_; }
  uint8_t* data() { return bytes_.get(); }
  const uint8_t* data() const { return bytes_.get(); }
  // At least `bytes` long; the first `keep` bytes stay, the others have any value.
  void Grow(size_t bytes, size_t keep = 0) {
    if (bytes <= size_) return;
    auto grown = std::make_unique_for_overwrite<uint8_t[]>(bytes);
    if (keep > 0) std::memcpy(grown.get(), bytes_.get(), keep);
    bytes_ = std::move(grown);
    size_ = bytes;
  }
  absl::Span<uint8_t> first(size_t bytes) { return absl::MakeSpan(data(), size()).first(bytes); }
  absl::Span<const uint8_t> first(size_t bytes) const {
    return absl::MakeConstSpan(data(), size()).first(bytes);
  }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
};

}  // namespace slipway::base::codec
