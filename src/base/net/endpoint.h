// Addresses that people write: "host:port", "[::1]:port". Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base::net {

struct Endpoint {
  std::string host;  // name or address, without brackets; empty: not given
  uint16_t port = 0;

  std::string ToString() const;  // an IPv6 address in brackets
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// "host:port", "1.2.3.4:port", "[v6]:port", ":port", "port". InvalidArgument with the text and what
// is wrong with it: no port, port over 65535, an IPv6 address without brackets.
absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text);

// localhost, 127.0.0.0/8, ::1. A name other than localhost is not looked up: false.
bool IsLoopback(absl::string_view host);
// 0.0.0.0, ::, or empty.
bool IsUnspecified(absl::string_view host);

}  // namespace slipway::base::net
