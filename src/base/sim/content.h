// The bytes of a simulated file: 4 KiB blocks, those never written are holes. Copies share the
// blocks, which never change once made, so that a whole disk is copied cheaply and from any thread.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "base/bytes.h"

namespace slipway::base::sim {

class Content {
 public:
  static constexpr uint64_t kBlockBytes = 4096;

  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t allocated_bytes() const { return blocks_.size() * kBlockBytes; }
  // Up to out.size() bytes; holes read as zeros; 0 at or past the end.
  size_t Read(uint64_t offset_bytes, absl::Span<uint8_t> out) const;
  void Write(uint64_t offset_bytes, BytesView data);
  // Bytes that appear are a hole.
  void Truncate(uint64_t size_bytes);
  // As File::NextData.
  std::pair<uint64_t, uint64_t> NextData(uint64_t offset_bytes) const;
  // How much of [offset, offset + size) can be written while at most `budget_bytes` of new blocks
  // may be allocated.
  uint64_t WritableBytes(uint64_t offset_bytes, uint64_t size_bytes, uint64_t budget_bytes) const;

 private:
  uint64_t size_bytes_ = 0;
  // By block number. A block shorter than kBlockBytes ends in zeros.
  std::map<uint64_t, std::shared_ptr<const std::string>> blocks_;
};

}  // namespace slipway::base::sim
