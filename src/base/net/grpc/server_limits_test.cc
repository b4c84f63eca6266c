// Clients that vanish, hammer or want too much: what the server does by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/net/grpc/test_service.h"
#include "base/net/grpc/test_socket.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::IsOkAndHolds;

// Forwards one connection to a server, until it is told to forget about it: then neither side hears
// anything any more, no end either, as when a cable is pulled.
class Wire {
 public:
  explicit Wire(int server_port) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    SLIPWAY_CHECK(bind(listener_, raw, size) == 0 && listen(listener_, 1) == 0);
    SLIPWAY_CHECK(getsockname(listener_, raw, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, server_port] { Run(server_port); });
  }
  ~Wire() {
    stop_ = true;
    thread_.join();
    close(listener_);
  }
  int port() const { return port_; }
  void Cut() { cut_ = true; }

 private:
  void Run(int server_port) {
    const int client = accept(listener_, nullptr, nullptr);
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SLIPWAY_CHECK(connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    while (!stop_) {
      pollfd ends[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      poll(ends, cut_ ? 0 : 2, 10);
      for (int i = 0; i < 2 && !cut_; ++i) {
        char bytes[4096];
        if ((ends[i].revents & POLLIN) == 0) continue;
        const ssize_t size = recv(ends[i].fd, bytes, sizeof bytes, 0);
        if (size > 0) send(ends[1 - i].fd, bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
      }
    }
    close(client);
    close(server);
  }

  const int listener_;
  int port_ = 0;
  std::atomic<bool> cut_{false}, stop_{false};
  std::thread thread_;
};

TEST(ServerLimits, AClientThatVanishesWithoutAWordIsDropped) {  // ZR8
  ServerOptions options;
  options.keepalive = absl::Milliseconds(200);
  options.keepalive_timeout = absl::Milliseconds(500);
  TestServer server(options);
  Wire wire(server.port());
  const auto channel = OpenChannel(wire.port());
  EchoStream stream(*channel);
  std::string back;
  ASSERT_TRUE(stream.Send("x"));
  ASSERT_TRUE(stream.Receive(&back));
  wire.Cut();
  server.echo.AwaitRunning(0);  // or the test hangs
  EXPECT_EQ(server.echo.cancelled(), 1);
}

TEST(ServerLimits, AClientThatHammersWithPingsIsSentAway) {
  TestServer server;
  TestSocket client(server.port());
  client.Send(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  ASSERT_GT(client.Receive(), 0);
  const std::string ping("\0\0\x08\6\0\0\0\0\0abcdefgh", 17);
  std::string pings;
  for (int i = 0; i < 10; ++i) pings += ping;
  client.Send(pings);
  const std::string said = client.ReadToEnd();
  // GOAWAY with ENHANCE_YOUR_CALM and the reason.
  EXPECT_THAT(said, ::testing::HasSubstr("too_many_pings"));
  EXPECT_THAT(Echo(*OpenChannel(server.port()), "others go on"), IsOkAndHolds("others go on"));
}

TEST(ServerLimits, ConnectionsTogetherHaveSoMuchMemory) {
  ServerOptions options;
  options.memory_bytes_max = 256 << 10;
  TestServer server(options);
  // Each message is larger than all that there is for everybody.
  const std::string large(3 << 20, 'x');
  std::vector<std::unique_ptr<Channel>> channels;
  std::vector<std::thread> threads;
  std::atomic<int> refused{0};
  for (int i = 0; i < 8; ++i) channels.push_back(OpenChannel(server.port()));
  for (const auto& channel : channels) {
    threads.emplace_back([&] { refused += Echo(*channel, large).ok() ? 0 : 1; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(refused, 0);
  // It lives, and serves as soon as there is room.
  absl::StatusOr<std::string> small;
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (!small.ok() && absl::Now() < end) small = Echo(*OpenChannel(server.port()), "small");
  EXPECT_THAT(small, IsOkAndHolds("small"));
}

}  // namespace
}  // namespace slipway::base::net
