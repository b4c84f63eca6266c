#include "cas/client/dial_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/net/endpoint.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

constexpr uint32_t kPortMax = 65535;
constexpr size_t kV6Bytes = 16;

std::string V4Text(uint32_t v4) {
  return absl::StrCat(v4 >> 24, ".", (v4 >> 16) & 255, ".", (v4 >> 8) & 255, ".", v4 & 255);
}

std::string V6Text(const std::string& v6) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, v6.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

absl::StatusOr<DialAddress> ChooseDialAddress(const AdvertisedAddress& advertised,
                                              absl::string_view cas_address,
                                              absl::string_view cas_authority) {
  const auto wrong = [](absl::string_view what) {
    return base::MakeError(
        absl::StatusCode::kInvalidArgument,
        absl::StrCat("find the transport of the CAS server: it advertises ", what),
        {"ZK4003", "set transport.advertise of the server to an address that clients can dial"});
  };
  if (advertised.v6 && advertised.v6->size() != kV6Bytes) {
    return wrong(absl::StrCat("an IPv6 address of ", advertised.v6->size(), " bytes"));
  }
  if (advertised.port > kPortMax) return wrong(absl::StrCat("port ", advertised.port));
  const bool v4 = advertised.v4.value_or(0) != 0;
  const bool v6 = advertised.v6 && std::any_of(advertised.v6->begin(), advertised.v6->end(),
                                               [](char byte) { return byte != 0; });
  if (!v4 && !v6 && advertised.port == 0) return DialAddress();
  if (advertised.port == 0) return wrong("port 0");
  SLIPWAY_ASSIGN_OR_RETURN(const base::net::Endpoint cas, base::net::ParseEndpoint(cas_address));
  base::net::Endpoint dial{cas.host, static_cast<uint16_t>(advertised.port)};
  if (v4) dial.host = V4Text(*advertised.v4);
  if (v6) dial.host = V6Text(*advertised.v6);
  DialAddress result{dial.ToString(), std::string(cas_authority)};
  if (result.authority.empty() && dial.host != cas.host) result.authority = cas.host;
  return result;
}

}  // namespace slipway::cas
