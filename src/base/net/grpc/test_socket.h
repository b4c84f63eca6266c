// A TCP connection that says nothing, or only what it is told. For the tests of this folder.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"

namespace slipway::base::net {

class TestSocket {
 public:
  TestSocket() : fd_(socket(AF_INET, SOCK_STREAM, 0)) { SLIPWAY_CHECK(fd_ >= 0); }
  explicit TestSocket(int port) : TestSocket() { Connect(port); }
  void Connect(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SLIPWAY_CHECK(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~TestSocket() { close(fd_); }
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;

  void Send(absl::string_view bytes) {
    SLIPWAY_CHECK(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                  static_cast<ssize_t>(bytes.size()));
  }
  // Bytes that arrived (and are dropped); waits for the first.
  ssize_t Receive() {
    char buffer[256];
    return recv(fd_, buffer, sizeof buffer, 0);
  }

  // All that arrives until the other side closes, or is silent for 20 seconds.
  std::string ReadToEnd() {
    const timeval limit = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::string text;
    char buffer[256];
    ssize_t got = 0;
    while ((got = recv(fd_, buffer, sizeof buffer, 0)) > 0) {
      text.append(buffer, static_cast<size_t>(got));
    }
    return text;
  }

  // Whether the other side closes the connection within 20 seconds; what it says is dropped.
  bool AwaitClose() {
    const timeval limit = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char buffer[256];
    ssize_t got = 1;
    while (got > 0) got = recv(fd_, buffer, sizeof buffer, 0);
    return got == 0 || errno == ECONNRESET;
  }

 private:
  const int fd_;
};

}  // namespace slipway::base::net
