// Memory for the chunks of downloads: what all streams hold together is bounded, however slow their
// clients are. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/sync/mutex.h"

namespace slipway::cas {

class Buffers {
 public:
  struct Options {
    size_t full_bytes = 1 << 20;
    size_t small_bytes = 64 << 10;      // once the budget is spent
    size_t budget_bytes = 24ull << 20;  // of full buffers, given out or kept
  };
  explicit Buffers(Options options);
  ~Buffers();

  // Gives itself back when it is destroyed; may outlive the Buffers.
  class Buffer {
   public:
    ~Buffer();
    uint8_t* data() { return data_.get(); }
    size_t size() const { return size_; }
    bool small() const { return owner_ == nullptr; }  // not of the budget

   private:
    friend class Buffers;
    std::unique_ptr<uint8_t[]> data_;
    size_t size_ = 0;
    std::shared_ptr<struct BuffersState> owner_;  // null: not of the budget
  };
  // Of full_bytes (or `wanted`, if that is at most small_bytes) while the budget lasts, else of
  // small_bytes: everybody goes on, slow clients at a smaller step.
  std::unique_ptr<Buffer> Take(uint64_t wanted_bytes);
  // Whether enough of the budget is left to read ahead for one stream.
  bool plenty() const { return used_bytes() < options_.budget_bytes / 2; }
  // Full buffers given out now, in bytes.
  size_t used_bytes() const;

 private:
  const Options options_;
  std::shared_ptr<struct BuffersState> state_;
};

}  // namespace slipway::cas
