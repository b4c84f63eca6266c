#include "cas/service/session/buffers.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace slipway::cas {

struct BuffersState {
  base::Mutex mutex;
  size_t used_bytes ABSL_GUARDED_BY(mutex) = 0;
  // Kept for the next: a buffer of this size from the system is cleared page by page each time.
  std::vector<std::unique_ptr<uint8_t[]>> free ABSL_GUARDED_BY(mutex);
};

Buffers::Buffers(Options options) : options_(options), state_(std::make_shared<BuffersState>()) {
  SLIPWAY_CHECK(options_.small_bytes > 0);
}

Buffers::~Buffers() = default;

Buffers::Buffer::~Buffer() {
  if (owner_ == nullptr) return;
  base::MutexLock lock(owner_->mutex);
  owner_->used_bytes -= size_;
  owner_->free.push_back(std::move(data_));
}

std::unique_ptr<Buffers::Buffer> Buffers::Take(uint64_t wanted_bytes) {
  auto buffer = std::make_unique<Buffer>();
  if (wanted_bytes > options_.small_bytes) {
    base::MutexLock lock(state_->mutex);
    if (state_->used_bytes + options_.full_bytes <= options_.budget_bytes) {
      state_->used_bytes += options_.full_bytes;
      buffer->owner_ = state_;
      if (!state_->free.empty()) {
        buffer->data_ = std::move(state_->free.back());
        state_->free.pop_back();
      }
    }
  }
  buffer->size_ = buffer->owner_ != nullptr
                      ? options_.full_bytes
                      : static_cast<size_t>(std::min<uint64_t>(std::max<uint64_t>(wanted_bytes, 1),
                                                               options_.small_bytes));
  if (buffer->data_ == nullptr) {
    buffer->data_ = std::make_unique_for_overwrite<uint8_t[]>(buffer->size_);
  }
  return buffer;
}

size_t Buffers::used_bytes() const {
  base::MutexLock lock(state_->mutex);
  return state_->used_bytes;
}

}  // namespace slipway::cas
