// A ByteSource over bytes in memory, for tests. Thread-compatible.
#pragma once

#include <algorithm>
#include <string>

#include "absl/strings/string_view.h"
#include "base/codec/codec.h"

namespace slipway::deploy {

class MemorySource : public base::ByteSource {
 public:
  // Gives at most `step` bytes at a time.
  explicit MemorySource(absl::string_view bytes, size_t step = SIZE_MAX)
      : left_(bytes), step_(step) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t size = std::min({out.size(), left_.size(), step_});
    std::copy_n(left_.begin(), size, out.begin());
    left_.remove_prefix(size);
    return size;
  }

 private:
  absl::string_view left_;
  const size_t step_;
};

}  // namespace slipway::deploy
