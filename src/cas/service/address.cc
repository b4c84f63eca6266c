#include "cas/service/address.h"

#include <arpa/inet.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/net/endpoint.h"
#include "base/status.h"

namespace slipway::cas {

absl::StatusOr<SocketAddress> ParseAddress(absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::net::Endpoint endpoint, base::net::ParseEndpoint(text));
  SocketAddress address;
  address.port = endpoint.port;
  in_addr v4{};
  std::array<uint8_t, 16> v6{};
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4) == 1) {
    address.v4 = ntohl(v4.s_addr);
  } else if (inet_pton(AF_INET6, endpoint.host.c_str(), v6.data()) == 1) {
    address.v6 = v6;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("transport.advertise: ", text,
                     " has no IP address; clients are told an address and a port, "
                     "as in 192.0.2.1:50611"));
  }
  if (address.port == 0) {
    return absl::InvalidArgumentError("transport.advertise: port 0; clients need a port");
  }
  return address;
}

}  // namespace slipway::cas
