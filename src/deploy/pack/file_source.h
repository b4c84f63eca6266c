// A ByteSource over a file. Thread-compatible.
#pragma once

#include "base/codec/codec.h"
#include "base/files.h"

namespace slipway::deploy {

class FileSource : public base::ByteSource {
 public:
  explicit FileSource(base::File& file) : file_(file) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    absl::StatusOr<size_t> got = file_.ReadAt(offset_bytes_, out);
    if (got.ok()) offset_bytes_ += *got;
    return got;
  }

 private:
  base::File& file_;
  uint64_t offset_bytes_ = 0;
};

}  // namespace slipway::deploy
