// Where a client finds the transport (Z10, Z11). Thread-safe: values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::cas {

struct SocketAddress {
  std::optional<uint32_t> v4;                 // a<<24 | b<<16 | c<<8 | d
  std::optional<std::array<uint8_t, 16>> v6;  // network order
  uint16_t port = 0;
};

// "1.2.3.4:port" or "[v6]:port". InvalidArgument: a name (the wire has addresses only), port 0.
absl::StatusOr<SocketAddress> ParseAddress(absl::string_view text);

}  // namespace slipway::cas
