#include "base/net/speaks.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace slipway::base::net {
namespace {

// A frame's head in HTTP/2: three bytes of length, type, flags, stream.
constexpr size_t kFrameHeadBytes = 9;
constexpr char kSettingsFrame = 4;
constexpr absl::string_view kHttp2Greeting("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
                                           33);

// The first byte of a record of TLS, then the major version.
constexpr char kAlert = 0x15, kHandshake = 0x16, kMajor = 0x03;

// A ClientHello of TLS 1.2 and 1.3 (RFC 8446, section 4.1.2) that any server answers, if only to
// ask for another key share. Its random bytes protect nothing, so they are constant.
std::string ClientHello() {
  const auto sized = [](size_t width, absl::string_view body) {
    std::string out;
    for (size_t i = width; i-- > 0;) out += static_cast<char>(body.size() >> (8 * i));
    return absl::StrCat(out, body);
  };
  const auto extension = [&](uint8_t type, absl::string_view body) {
    return absl::StrCat(std::string(1, '\0'), std::string(1, static_cast<char>(type)),
                        sized(2, body));
  };
  const absl::string_view ciphers("\x13\x01\x13\x02\xc0\x2b\xc0\x2c\xc0\x2f\xc0\x30", 12);
  const absl::string_view groups("\x00\x1d\x00\x17\x00\x18", 6);
  const absl::string_view signatures("\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01", 12);
  const absl::string_view versions("\x03\x04\x03\x03", 4);
  const std::string extensions = absl::StrCat(
      extension(10, sized(2, groups)), extension(11, sized(1, absl::string_view("\0", 1))),
      extension(13, sized(2, signatures)), extension(16, sized(2, sized(1, "h2"))),
      extension(43, sized(1, versions)), extension(51, sized(2, "")));
  const std::string hello =
      absl::StrCat(absl::string_view("\x03\x03", 2), std::string(32, '\x5a'), sized(1, ""),
                   sized(2, ciphers), sized(1, absl::string_view("\0", 1)), sized(2, extensions));
  const std::string handshake = absl::StrCat(absl::string_view("\x01", 1), sized(3, hello));
  return absl::StrCat(absl::string_view("\x16\x03\x01", 3), sized(2, handshake));
}

class Clock {
 public:
  explicit Clock(absl::Duration timeout)
      : end_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout)) {}
  int left_ms() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<int64_t>(0, left.count()));
  }

 private:
  const std::chrono::steady_clock::time_point end_;
};

class Connection {
 public:
  Connection(const addrinfo& address, const Clock& clock) : clock_(clock) {
    fd_ = socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                 address.ai_protocol);
    if (fd_ < 0) return;
    if (connect(fd_, address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) return;
    int error = 0;
    socklen_t size = sizeof(error);
    connected_ =
        Await(POLLOUT) && getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool connected() const { return connected_; }
  // Sends `greeting`; the first bytes of the answer, fewer if it ends or time does.
  std::string Ask(absl::string_view greeting) {
    if (send(fd_, greeting.data(), greeting.size(), MSG_NOSIGNAL) < 0) return "";
    std::string answer;
    while (answer.size() < kFrameHeadBytes && Await(POLLIN)) {
      std::array<char, kFrameHeadBytes> bytes{};
      const ssize_t count = recv(fd_, bytes.data(), bytes.size() - answer.size(), 0);
      if (count <= 0) break;
      answer.append(bytes.data(), static_cast<size_t>(count));
      if (answer.front() == kAlert || answer.front() == kHandshake) break;
    }
    return answer;
  }

 private:
  bool Await(short events) const {
    pollfd entry = {fd_, events, 0};
    int ready = 0;
    do {
      ready = poll(&entry, 1, clock_.left_ms());
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
  }

  const Clock& clock_;
  int fd_ = -1;
  bool connected_ = false;
};

bool IsTls(absl::string_view answer) {
  return answer.size() >= 2 && (answer[0] == kAlert || answer[0] == kHandshake) &&
         answer[1] == kMajor;
}

bool IsPlaintext(absl::string_view answer) {
  if (absl::StartsWith(answer, "HTTP/")) return true;
  return answer.size() == kFrameHeadBytes && answer[3] == kSettingsFrame && answer[5] == 0 &&
         answer[6] == 0 && answer[7] == 0 && answer[8] == 0;
}

}  // namespace

Speaks FindOutWhatSpeaks(const Endpoint& endpoint, absl::Duration timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found) !=
      0) {
    return Speaks::kNothing;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  const Clock half(timeout / 2), whole(timeout);
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    // A server with TLS may just hang up on this greeting …
    Connection plain(*address, half);
    if (!plain.connected()) continue;
    const std::string answer = plain.Ask(kHttp2Greeting);
    if (IsPlaintext(answer)) return Speaks::kPlaintext;
    if (IsTls(answer)) return Speaks::kTls;
    // … and answers this one.
    Connection encrypted(*address, whole);
    return encrypted.connected() && IsTls(encrypted.Ask(ClientHello())) ? Speaks::kTls
                                                                        : Speaks::kNothing;
  }
  return Speaks::kNothing;
}

}  // namespace slipway::base::net
