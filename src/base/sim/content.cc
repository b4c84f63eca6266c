#include "base/sim/content.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace slipway::base::sim {

size_t Content::Read(uint64_t offset_bytes, absl::Span<uint8_t> out) const {
  if (offset_bytes >= size_bytes_) return 0;
  const size_t count =
      static_cast<size_t>(std::min<uint64_t>(out.size(), size_bytes_ - offset_bytes));
  std::fill_n(out.begin(), count, uint8_t{0});
  for (size_t done = 0; done < count;) {
    const uint64_t at = offset_bytes + done;
    const size_t skip = static_cast<size_t>(at % kBlockBytes);
    const size_t part = std::min<size_t>(count - done, kBlockBytes - skip);
    const auto block = blocks_.find(at / kBlockBytes);
    if (block != blocks_.end() && block->second->size() > skip) {
      std::memcpy(out.data() + done, block->second->data() + skip,
                  std::min(part, block->second->size() - skip));
    }
    done += part;
  }
  return count;
}

void Content::Write(uint64_t offset_bytes, BytesView data) {
  for (size_t done = 0; done < data.size();) {
    const uint64_t at = offset_bytes + done;
    const size_t skip = static_cast<size_t>(at % kBlockBytes);
    const size_t part = std::min<size_t>(data.size() - done, kBlockBytes - skip);
    std::shared_ptr<const std::string>& block = blocks_[at / kBlockBytes];
    std::string bytes = block == nullptr ? std::string() : *block;
    if (bytes.size() < skip + part) bytes.resize(skip + part);
    std::memcpy(bytes.data() + skip, data.data() + done, part);
    block = std::make_shared<const std::string>(std::move(bytes));
    done += part;
  }
  if (!data.empty()) size_bytes_ = std::max(size_bytes_, offset_bytes + data.size());
}

void Content::Truncate(uint64_t size_bytes) {
  if (size_bytes < size_bytes_) {
    blocks_.erase(blocks_.lower_bound((size_bytes + kBlockBytes - 1) / kBlockBytes), blocks_.end());
    const size_t kept = static_cast<size_t>(size_bytes % kBlockBytes);
    const auto last = blocks_.find(size_bytes / kBlockBytes);
    if (last != blocks_.end() && last->second->size() > kept) {
      last->second = std::make_shared<const std::string>(last->second->substr(0, kept));
    }
  }
  size_bytes_ = size_bytes;
}

std::pair<uint64_t, uint64_t> Content::NextData(uint64_t offset_bytes) const {
  auto block = blocks_.lower_bound(offset_bytes / kBlockBytes);
  if (offset_bytes >= size_bytes_ || block == blocks_.end()) return {size_bytes_, size_bytes_};
  const uint64_t begin = std::max(offset_bytes, block->first * kBlockBytes);
  uint64_t next = block->first;
  while (block != blocks_.end() && block->first == next) {
    ++next;
    ++block;
  }
  return {begin, std::min(size_bytes_, next * kBlockBytes)};
}

uint64_t Content::WritableBytes(uint64_t offset_bytes, uint64_t size_bytes,
                                uint64_t budget_bytes) const {
  uint64_t done = 0;
  while (done < size_bytes) {
    const uint64_t at = offset_bytes + done;
    if (blocks_.count(at / kBlockBytes) == 0) {
      if (budget_bytes < kBlockBytes) break;
      budget_bytes -= kBlockBytes;
    }
    done += std::min(size_bytes - done, kBlockBytes - at % kBlockBytes);
  }
  return done;
}

}  // namespace slipway::base::sim
