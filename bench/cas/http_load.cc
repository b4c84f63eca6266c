// http_load PORT PATH CONNECTIONS SECONDS: GET over connections that stay open, one request at a
// time on each; the one client for zako-casd and nginx. Prints {"requests", "seconds"}.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror("http_load: connect");
    std::exit(1);
  }
  return fd;
}

void Send(int fd, const std::string& request) {
  if (send(fd, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size())) {
    std::perror("http_load: send");
    std::exit(1);
  }
}

// Whether `text` is a whole answer; anything but 200 with a length ends the program.
bool IsWhole(const std::string& text) {
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  if (text.compare(0, 12, "HTTP/1.1 200") != 0) {
    std::fprintf(stderr, "http_load: %s\n", text.c_str());
    std::exit(1);
  }
  const char* const length = strcasestr(text.c_str(), "\r\ncontent-length:");
  if (length == nullptr) std::exit(1);
  return text.size() >= end + 4 + std::strtoul(length + 17, nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s PORT PATH CONNECTIONS SECONDS\n", argv[0]);
    return 2;
  }
  const std::string request =
      std::string("GET ") + argv[2] + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const int poll = epoll_create1(0);
  std::vector<int> sockets(std::strtoul(argv[3], nullptr, 10));
  std::vector<std::string> texts(sockets.size());
  for (size_t i = 0; i < sockets.size(); ++i) {
    sockets[i] = Connect(std::atoi(argv[1]));
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &event);
  }
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(std::atof(argv[4]));
  for (const int fd : sockets) Send(fd, request);
  size_t requests = 0;
  while (Clock::now() < end) {
    epoll_event events[64];
    const int count = epoll_wait(poll, events, 64, 1000);
    for (int i = 0; i < count; ++i) {
      const size_t at = events[i].data.u64;
      char buffer[16384];
      const ssize_t got = recv(sockets[at], buffer, sizeof buffer, 0);
      if (got <= 0) {
        std::fprintf(stderr, "http_load: the server closed a connection\n");
        return 1;
      }
      texts[at].append(buffer, static_cast<size_t>(got));
      if (!IsWhole(texts[at])) continue;
      ++requests;
      texts[at].clear();
      Send(sockets[at], request);
    }
  }
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  std::printf("{\"requests\": %zu, \"seconds\": %.6f}\n", requests, seconds.count());
  return 0;
}
