#include "base/net/testing/fault_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/os/fd.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using os::Fd;

constexpr int kPatienceMs = 30'000;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Server {
 public:
  Server() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_.get(), 8), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  uint16_t port() const { return port_; }
  Fd Take() const { return Fd(accept(fd_.get(), nullptr, nullptr)); }

 private:
  const Fd fd_;
  uint16_t port_ = 0;
};

Fd Dial(uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(port);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

void Say(const Fd& fd, const std::string& text) {
  EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// What comes within `milliseconds`; "-" for nothing, "" for the end.
std::string Hear(const Fd& fd, int milliseconds = kPatienceMs) {
  pollfd polled = {fd.get(), POLLIN, 0};
  if (poll(&polled, 1, milliseconds) == 0) return "-";
  char buffer[100];
  const ssize_t got = recv(fd.get(), buffer, sizeof(buffer), 0);
  return got <= 0 ? "" : std::string(buffer, static_cast<size_t>(got));
}

// This process is that of front 0 and connects to front 1.
class FaultProxyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto proxy = FaultProxy::Start();
    ASSERT_OK(proxy.status());
    proxy_ = *std::move(proxy);
    ASSERT_EQ(*proxy_->AddFront(), 0);
    ASSERT_EQ(*proxy_->AddFront(), 1);
    proxy_->SetProcess(0, getpid());
    proxy_->SetBackend(1, server_.port());
  }

  Server server_;
  std::unique_ptr<FaultProxy> proxy_;
};

TEST_F(FaultProxyTest, CarriesBytesAndEndsBothWays) {
  const Fd client = Dial(proxy_->port(1));
  Fd taken = server_.Take();
  Say(client, "to");
  EXPECT_EQ(Hear(taken), "to");
  Say(taken, "fro");
  EXPECT_EQ(Hear(client), "fro");
  shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(Hear(taken), "");
  Say(taken, "late");
  EXPECT_EQ(Hear(client), "late");
  taken.Reset();
  EXPECT_EQ(Hear(client), "");
}

TEST_F(FaultProxyTest, ACutLinkHoldsOneDirectionUntilItIsHealed) {
  const Fd client = Dial(proxy_->port(1));
  const Fd taken = server_.Take();
  Say(client, "known");
  EXPECT_EQ(Hear(taken), "known");
  proxy_->Cut(0, 1, true);
  Say(client, "held");
  Say(taken, "passes");
  EXPECT_EQ(Hear(client), "passes");
  EXPECT_EQ(Hear(taken, 50), "-");
  proxy_->HealAll();
  EXPECT_EQ(Hear(taken), "held");
}

TEST_F(FaultProxyTest, OthersAreNotConcerned) {
  proxy_->SetProcess(0, 0);
  proxy_->Cut(0, 1, true);
  const Fd client = Dial(proxy_->port(1));
  const Fd taken = server_.Take();
  Say(client, "through");
  EXPECT_EQ(Hear(taken), "through");
}

TEST_F(FaultProxyTest, WithoutABackendOneIsSentAway) {
  proxy_->SetBackend(1, 0);
  const Fd client = Dial(proxy_->port(1));
  EXPECT_EQ(Hear(client), "");
}

}  // namespace
}  // namespace slipway::base::net
