#include "base/net/listen_addresses.h"

#include <netdb.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "base/net/endpoint.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

constexpr uint64_t kTableBytesMax = 16 << 20;
constexpr absl::string_view kLoopback6 = "00000000000000000000000000000001";

// A line for each IPv6 address of the machine; "" where it has none.
std::string Ipv6Addresses(Files& files) {
  return ReadUserFile(files, "/proc/net/if_inet6", kTableBytesMax).value_or("");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListenAddresses(absl::string_view text, bool tls,
                                                         Files& files) {
  SLIPWAY_ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(text));
  if (!endpoint.host.empty() && endpoint.host != "localhost") {
    return std::vector<std::string>{endpoint.ToString()};
  }
  const std::string v6 = Ipv6Addresses(files);
  const std::string port = absl::StrCat(":", endpoint.port);
  if (tls && endpoint.host.empty()) {
    // One socket for both families where there are both.
    return std::vector<std::string>{absl::StrCat(v6.empty() ? "0.0.0.0" : "[::]", port)};
  }
  std::vector<std::string> addresses = {absl::StrCat("127.0.0.1", port)};
  if (endpoint.port != 0 && v6.find(kLoopback6.data()) != std::string::npos) {
    addresses.push_back(absl::StrCat("[::1]", port));
  }
  return addresses;
}

absl::Status CheckResolvable(absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(text));
  if (endpoint.host.empty()) return absl::OkStatus();
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found);
  if (error == 0) {
    freeaddrinfo(found);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("host ", endpoint.host,
                                                 " is not found: ", gai_strerror(error),
                                                 "; correct the name, or give an address"));
}

}  // namespace slipway::base::net
