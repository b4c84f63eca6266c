#include "base/net/grpc/acceptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <list>
#include <string>
#include <thread>
#include <vector>

#include "base/net/descriptors.h"
#include "base/net/grpc/test_service.h"
#include "base/net/grpc/test_socket.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::testing::HasSubstr;

// The limit of this process, until the end of the test.
class SoftLimit {
 public:
  explicit SoftLimit(rlim_t files) {
    SLIPWAY_CHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit low = before_;
    low.rlim_cur = files;
    SLIPWAY_CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
  }
  ~SoftLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

// All descriptors up to the limit.
class Hoard {
 public:
  Hoard() {
    while (true) {
      const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (fd < 0) break;
      fds_.push_back(fd);
    }
  }
  ~Hoard() {
    for (const int fd : fds_) close(fd);
  }

 private:
  std::vector<int> fds_;
};

double Refused(const TestServer& server) {
  const std::string text = server.metrics.Text();
  const std::string name = "\ntest_rpc_refused_connections_total ";
  const size_t at = text.find(name);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size()));
}

TEST(Acceptor, GoesOnWhenDescriptorsWereShort) {
  const SoftLimit limit(256);
  TestServer server;
  const auto channel = OpenChannel(server.port());  // open until the end: it gives nothing back
  ASSERT_THAT(Echo(*channel, "before"), IsOkAndHolds("before"));
  {
    TestSocket clients[3];
    const Hoard all;  // accepting finds none
    for (TestSocket& client : clients) client.Connect(server.port());
    while (Refused(server) < 1) std::this_thread::yield();
  }
  EXPECT_THAT(Echo(*OpenChannel(server.port()), "after"), IsOkAndHolds("after"));
}

TEST(Acceptor, ConnectionsLeaveDescriptorsToTheProcess) {
  const SoftLimit limit(256);
  TestServer server;
  std::list<TestSocket> clients;
  // A client and its connection have one each.
  for (int i = 0; i < 110; ++i) clients.emplace_back(server.port());
  EXPECT_TRUE(clients.back().AwaitClose());
  EXPECT_GE(Refused(server), 1);
  const int spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(spare, 0);
  close(spare);
  clients.clear();
  EXPECT_THAT(Echo(*OpenChannel(server.port()), "after"), IsOkAndHolds("after"));
}

TEST(Descriptors, AnEighthAtMost1024StaysForTheProcess) {
  {
    const SoftLimit limit(256);
    EXPECT_EQ(ConnectionDescriptorsEnd(), 256 - 32);
  }
  const SoftLimit limit(512);
  EXPECT_EQ(ConnectionDescriptorsEnd(), 512 - 64);
  rlimit now = {};
  const int raised = RaiseDescriptorLimit();
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, now.rlim_max);
  EXPECT_EQ(static_cast<rlim_t>(raised), now.rlim_cur);
}

TEST(Acceptor, AStoppedOneFreesItsPort) {
  ASSERT_OK_AND_ASSIGN(auto first, Acceptor::Listen({{"127.0.0.1", 0}}, nullptr));
  const Endpoint same = {"127.0.0.1", static_cast<uint16_t>(first->port())};
  EXPECT_THAT(std::string(Acceptor::Listen({same}, nullptr).status().message()),
              HasSubstr("in use"));
  first->Stop();
  EXPECT_OK(Acceptor::Listen({same}, nullptr).status());
}

}  // namespace
}  // namespace slipway::base::net
