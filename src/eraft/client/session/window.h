// Numbers of the commands of one strict session: given out in order, never further ahead of the
// oldest open one than the server keeps answers for (E143). Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

namespace slipway::eraft::client {

// Commands of a session that may be open at a time; the server's window is as wide.
inline constexpr uint64_t kWindowCommands = 1024;

class Window {
 public:
  explicit Window(uint64_t width = kWindowCommands) : width_(width) {}

  // The next number; nothing while the window is full.
  std::optional<uint64_t> Take();
  // The answer to `number` has come, or nobody wants it any more. Each number once.
  void Close(uint64_t number);
  // Every number below it is closed: the server may forget their answers, and refuses a late copy
  // of such a command.
  uint64_t acknowledged() const { return acknowledged_; }
  bool full() const { return next_ >= acknowledged_ + width_; }

 private:
  uint64_t width_;
  uint64_t next_ = 0;
  uint64_t acknowledged_ = 0;
  std::set<uint64_t> closed_;  // at or above acknowledged_
};

}  // namespace slipway::eraft::client
