#include "eraft/client/session/window.h"

#include "base/check.h"

namespace slipway::eraft::client {

std::optional<uint64_t> Window::Take() {
  if (full()) return std::nullopt;
  return next_++;
}

void Window::Close(uint64_t number) {
  SLIPWAY_CHECK(number >= acknowledged_);
  SLIPWAY_CHECK(number < next_);
  SLIPWAY_CHECK(closed_.insert(number).second);
  while (!closed_.empty() && *closed_.begin() == acknowledged_) {
    closed_.erase(closed_.begin());
    ++acknowledged_;
  }
}

}  // namespace slipway::eraft::client
