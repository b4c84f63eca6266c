// Where to dial the transport that a CAS server told of (Z10, Z11). Private to this folder.
// Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::cas {

// zako.v1.net.SocketAddress as it came; nothing of it is checked yet.
struct AdvertisedAddress {
  std::optional<uint32_t> v4;     // 127.0.0.1 is 0x7F000001
  std::optional<std::string> v6;  // network order
  uint32_t port = 0;
};

struct DialAddress {
  std::string address;    // "host:port"; empty: the CAS channel serves the transport too
  std::string authority;  // name the certificate must have; empty: the host of `address`
};

// `cas_address` is "host:port" of the CAS channel, `cas_authority` its name if that is not the
// host. Without an address, or with an unspecified one (0.0.0.0, ::), the transport is on the host
// of the CAS, at `port` if that is given. An advertised address is dialled under the name of the
// CAS host. InvalidArgument: the port is 0 or over 65535, an IPv6 address is not 16 bytes.
absl::StatusOr<DialAddress> ChooseDialAddress(const AdvertisedAddress& advertised,
                                              absl::string_view cas_address,
                                              absl::string_view cas_authority);

}  // namespace slipway::cas
