#include "base/net/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

constexpr size_t kHostBytesMax = 253;  // RFC 1035, section 2.3.4, as text

absl::Status Refuse(absl::string_view text, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("parse address \"",
                                                 absl::CHexEscape(text.substr(0, 300)),
                                                 "\": ", reason, "; write host:port"));
}

template <class Address>
std::optional<Address> ParseAddress(int family, absl::string_view text) {
  Address address;
  if (inet_pton(family, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return address;
}
std::optional<in_addr> ParseV4(absl::string_view text) {
  return ParseAddress<in_addr>(AF_INET, text);
}
std::optional<in6_addr> ParseV6(absl::string_view text) {
  return ParseAddress<in6_addr>(AF_INET6, text);
}

bool IsHostName(absl::string_view text) {
  if (text.size() > kHostBytesMax) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.' && c != '_') {
      return false;
    }
  }
  return true;
}

absl::StatusOr<uint16_t> ParsePort(absl::string_view text, absl::string_view whole) {
  if (text.empty()) return Refuse(whole, "no port");
  uint32_t port = 0;
  // SimpleAtoi also takes blanks and a sign.
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      return Refuse(whole, "the port is not a number");
    }
  }
  if (!absl::SimpleAtoi(text, &port) || port > 65535) {
    return Refuse(whole, "the port is over 65535");
  }
  return static_cast<uint16_t>(port);
}

// "[v6]:port".
absl::StatusOr<Endpoint> ParseBracketed(absl::string_view text) {
  const size_t end = text.find(']');
  if (end == absl::string_view::npos) return Refuse(text, "no closing bracket");
  const absl::string_view host = text.substr(1, end - 1);
  if (!ParseV6(host).has_value()) return Refuse(text, "no IPv6 address within the brackets");
  absl::string_view rest = text.substr(end + 1);
  if (rest.empty() || rest[0] != ':') return Refuse(text, "no port");
  SLIPWAY_ASSIGN_OR_RETURN(const uint16_t port, ParsePort(rest.substr(1), text));
  return Endpoint{std::string(host), port};
}

}  // namespace

std::string Endpoint::ToString() const {
  if (absl::StrContains(host, ':')) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text) {
  if (text.empty()) return Refuse(text, "it is empty");
  if (text.find('\0') != absl::string_view::npos) return Refuse(text, "it has a zero byte");
  if (text[0] == '[') return ParseBracketed(text);
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    // Digits alone are a port; anything else is a host that lacks one.
    if (text.find_first_not_of("0123456789") != absl::string_view::npos) {
      return Refuse(text, "no port");
    }
    SLIPWAY_ASSIGN_OR_RETURN(const uint16_t port, ParsePort(text, text));
    return Endpoint{"", port};
  }
  const absl::string_view host = text.substr(0, colon);
  if (absl::StrContains(host, ':')) {
    return Refuse(text, "an IPv6 address stands in brackets, as in [::1]:8080");
  }
  if (!IsHostName(host)) return Refuse(text, "the host has characters that no name has");
  SLIPWAY_ASSIGN_OR_RETURN(const uint16_t port, ParsePort(text.substr(colon + 1), text));
  return Endpoint{std::string(host), port};
}

bool IsLoopback(absl::string_view host) {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  if (host.find('\0') != absl::string_view::npos) return false;
  if (const auto v4 = ParseV4(host); v4.has_value()) {
    return (ntohl(v4->s_addr) >> 24) == 127;
  }
  const auto v6 = ParseV6(host);
  if (!v6.has_value()) return false;
  if (IN6_IS_ADDR_V4MAPPED(&*v6)) return v6->s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&*v6);
}

bool IsUnspecified(absl::string_view host) {
  if (host.empty()) return true;
  if (host.find('\0') != absl::string_view::npos) return false;
  if (const auto v4 = ParseV4(host); v4.has_value()) return v4->s_addr == 0;
  const auto v6 = ParseV6(host);
  if (!v6.has_value()) return false;
  if (IN6_IS_ADDR_V4MAPPED(&*v6)) {
    constexpr std::array<uint8_t, 4> kZero = {};
    return std::memcmp(&v6->s6_addr[12], kZero.data(), kZero.size()) == 0;
  }
  return IN6_IS_ADDR_UNSPECIFIED(&*v6);
}

}  // namespace slipway::base::net
