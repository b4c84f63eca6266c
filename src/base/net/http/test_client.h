// A client that sends what it is told, byte for byte. For tests. Thread-compatible.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace slipway::base::net {

struct TestResponse {
  int status = 0;    // 0: the connection ended before a whole head
  std::string head;  // with the status line, without the empty line
  std::string body;

  // The value of a header, or "".
  std::string Header(absl::string_view name) const {
    for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
      const std::pair<absl::string_view, absl::string_view> pair =
          absl::StrSplit(line, absl::MaxSplits(": ", 1));
      if (absl::EqualsIgnoreCase(pair.first, name)) return std::string(pair.second);
    }
    return "";
  }
};

class TestClient {
 public:
  explicit TestClient(int port, bool v6 = false) {
    fd_ = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in v4_address = {};
    v4_address.sin_family = AF_INET;
    v4_address.sin_port = htons(static_cast<uint16_t>(port));
    v4_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6_address = {};
    v6_address.sin6_family = AF_INET6;
    v6_address.sin6_port = htons(static_cast<uint16_t>(port));
    v6_address.sin6_addr = in6addr_loopback;
    connected_ = v6 ? Connect(v6_address) : Connect(v4_address);
  }
  ~TestClient() { Close(); }
  TestClient(TestClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        buffer_(std::move(other.buffer_)) {}
  TestClient& operator=(TestClient&&) = delete;

  bool connected() const { return connected_; }
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void HalfClose() { shutdown(fd_, SHUT_WR); }
  // Closes so that the server sees a reset.
  void Reset() {
    const linger hard = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    Close();
  }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

  // The next response; `head_only`: to a HEAD. An interim 100 is a response of its own.
  TestResponse Read(bool head_only = false) {
    TestResponse response;
    size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return response;
    }
    response.head = buffer_.substr(0, end);
    buffer_.erase(0, end + 4);
    EXPECT_TRUE(absl::SimpleAtoi(response.head.substr(9, 3), &response.status)) << response.head;
    size_t length = 0;
    const std::string length_text = response.Header("Content-Length");
    EXPECT_TRUE(length_text.empty() || absl::SimpleAtoi(length_text, &length)) << length_text;
    if (head_only) return response;
    while (buffer_.size() < length && Fill()) {
    }
    response.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return response;
  }
  TestResponse Ask(absl::string_view request) {
    Send(request);
    return Read();
  }
  // Whether the server closes without another byte; false also when it does nothing for long.
  bool AtEnd() {
    if (!buffer_.empty()) return false;
    char byte = 0;
    return recv(fd_, &byte, 1, 0) == 0;
  }
  // As AtEnd, and a reset is an end too.
  bool Gone() {
    char bytes[4096];
    ssize_t count = 0;
    while ((count = recv(fd_, bytes, sizeof(bytes), 0)) > 0) {
    }
    return count == 0 || errno == ECONNRESET;
  }

 private:
  template <class Address>
  bool Connect(const Address& address) {
    return connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  bool Fill() {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    if (count > 0) buffer_.append(bytes, static_cast<size_t>(count));
    return count > 0;
  }

  int fd_ = -1;
  bool connected_ = false;
  std::string buffer_;
};

}  // namespace slipway::base::net
