#include "base/net/grpc/bind_check.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/net/port_holder.h"

namespace slipway::base::net {
namespace {

absl::Status Refuse(const Endpoint& endpoint, absl::string_view reason, absl::string_view remedy) {
  return absl::UnavailableError(
      absl::StrCat("listen on ", endpoint.ToString(), ": ", reason, "; ", remedy));
}

absl::Status RefuseBind(const Endpoint& endpoint, int reason) {
  const std::string text = std::strerror(reason);
  if (reason == EACCES) {
    return Refuse(endpoint, text, "use a port over 1023 or give the permission");
  }
  const std::string holder = reason == EADDRINUSE ? PortHolder(endpoint.port) : "";
  return Refuse(endpoint, holder.empty() ? text : absl::StrCat(text, " by ", holder),
                "stop what listens there or choose another port");
}

// 0, or errno.
int TryBind(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const absl::Cleanup close_fd = [fd] { close(fd); };
  // As gRPC will: connections of an earlier process in TIME_WAIT do not count.
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) {
    // gRPC binds the unspecified address for both families, and the others for their own.
    const int off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  return bind(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
}

}  // namespace

absl::Status CheckBindable(const Endpoint& endpoint) {
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = absl::StrCat(endpoint.port);
  const std::string host = endpoint.host.empty() ? "::" : endpoint.host;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    return Refuse(endpoint, gai_strerror(error), "name an address of this machine");
  }
  const absl::Cleanup free_found = [found] { freeaddrinfo(found); };
  int bound = 0, missing = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int reason = TryBind(*at);
    if (reason == 0) {
      ++bound;
    } else if (reason == EADDRNOTAVAIL || reason == EAFNOSUPPORT) {
      missing = reason;  // "localhost" on a machine without IPv6
    } else {
      return RefuseBind(endpoint, reason);
    }
  }
  // The unspecified address is bound for IPv4 where there is no IPv6.
  if (bound == 0 && !IsUnspecified(endpoint.host)) {
    return Refuse(endpoint, std::strerror(missing), "name an address of this machine");
  }
  return absl::OkStatus();
}

}  // namespace slipway::base::net
