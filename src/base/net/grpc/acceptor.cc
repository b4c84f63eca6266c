#include "base/net/grpc/acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/net/descriptors.h"
#include "base/net/listen_error.h"

namespace slipway::base::net {
namespace {

constexpr int kPortTries = 20;
constexpr int kFilesPauseMs = 100;
// What was sent is not acknowledged for so long: the connection ends, as with a ping.
constexpr unsigned kUnackedMsMax = 10'000;

template <class Value>
void Set(int fd, int level, int option, Value value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

void SetPort(sockaddr* address, uint16_t port) {
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  }
}

int PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  SLIPWAY_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// A listening socket, or -1 with errno.
int OpenListener(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  Set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  // The unspecified address takes both families; for the others it makes no difference.
  if (address.ai_family == AF_INET6) Set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  // What is accepted inherits these.
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnackedMsMax);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

bool LacksFamily(int reason) { return reason == EADDRNOTAVAIL || reason == EAFNOSUPPORT; }

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Listen(const std::vector<Endpoint>& endpoints,
                                                           Counter* refused) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(refused));
  for (const Endpoint& endpoint : endpoints) {
    const absl::Status added = acceptor->Add(endpoint);
    if (!added.ok()) return added;
  }
  return acceptor;
}

Acceptor::Acceptor(Counter* refused)
    : refused_(refused), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

absl::Status Acceptor::Add(const Endpoint& endpoint) {
  if (wake_ < 0) return ListenError(endpoint, EMFILE);
  int reason = 0;
  // A port that is free in one family may be taken in the other: then another one.
  for (int attempt = 0; attempt < kPortTries; ++attempt) {
    bool bound = false;
    Endpoint named = endpoint;
    if (named.host.empty()) named.host = "::";
    reason = AddOnce(named, &bound);
    if (reason != 0 && LacksFamily(reason) && !bound && IsUnspecified(named.host)) {
      named.host = "0.0.0.0";
      reason = AddOnce(named, &bound);
    }
    if (reason == 0) return absl::OkStatus();
    if (reason < 0) {
      return ListenError(endpoint, gai_strerror(reason));
    }
    if (endpoint.port != 0 || reason != EADDRINUSE) break;
  }
  return ListenError(endpoint, reason);
}

// 0, errno, or what getaddrinfo says (negative); *bound: there is a listener more.
int Acceptor::AddOnce(const Endpoint& endpoint, bool* bound) {
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port_text = absl::StrCat(endpoint.port);
  const int error = getaddrinfo(endpoint.host.c_str(), port_text.c_str(), &hints, &found);
  if (error != 0) return error;
  const absl::Cleanup free_found = [found] { freeaddrinfo(found); };
  std::vector<int> fds;
  absl::Cleanup close_fds = [&fds] {
    for (const int fd : fds) close(fd);
  };
  uint16_t port = endpoint.port;
  int missing = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    SetPort(at->ai_addr, port);
    const int fd = OpenListener(*at);
    if (fd >= 0) {
      fds.push_back(fd);
      port = static_cast<uint16_t>(PortOf(fd));
    } else if (LacksFamily(errno)) {
      missing = errno;  // "localhost" on a machine without IPv6
    } else {
      return errno;
    }
  }
  if (fds.empty()) return missing;
  *bound = true;
  if (listeners_.empty()) port_ = port;
  listeners_.insert(listeners_.end(), fds.begin(), fds.end());
  std::move(close_fds).Cancel();
  return 0;
}

void Acceptor::Start(std::unique_ptr<Sink> sink) {
  SLIPWAY_CHECK(!thread_.joinable());
  sink_ = std::move(sink);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "grpc-accept");
    Run();
  });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    SLIPWAY_CHECK(write(wake_, &one, sizeof one) == sizeof one);
    thread_.join();
  }
  for (const int fd : listeners_) close(fd);
  listeners_.clear();
  if (wake_ >= 0) close(std::exchange(wake_, -1));
}

void Acceptor::Run() {
  std::vector<pollfd> all = {{.fd = wake_, .events = POLLIN, .revents = 0}};
  for (const int fd : listeners_) all.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  bool pause = false;
  while (true) {
    // In a pause only Stop is heard: what waits in the queue would be offered again at once.
    const int ready = poll(all.data(), pause ? 1 : all.size(), pause ? kFilesPauseMs : -1);
    if (ready < 0 && errno != EINTR) return;
    if (all[0].revents != 0) return;
    pause = false;
    for (size_t i = 1; i < all.size() && ready > 0; ++i) {
      if (all[i].revents != 0 && !Accept(all[i].fd)) pause = true;
    }
    for (pollfd& one : all) one.revents = 0;
  }
}

// False: descriptors or memory are short.
bool Acceptor::Accept(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    const bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (is_short && refused_ != nullptr) refused_->Increment();
    return !is_short;
  }
  if (fd >= ConnectionDescriptorsEnd() && !SLIPWAY_MUTANT("descriptors-unreserved")) {
    close(fd);
    if (refused_ != nullptr) refused_->Increment();
    return true;
  }
  Sink::NewConnectionParameters connection;
  connection.listener_fd = listener;
  connection.fd = fd;
  sink_->HandleNewConnection(&connection);
  return true;
}

}  // namespace slipway::base::net
