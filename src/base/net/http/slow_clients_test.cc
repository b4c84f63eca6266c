// Clients that send a byte now and then, by the hundred, while others want answers.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/net/http/test_server.h"

namespace slipway::base::net {
namespace {

constexpr absl::string_view kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

// 500, or SLIPWAY_SLOW_CLIENTS (the soak: 2000), as far as descriptors go.
int SlowClients() {
  int wanted = 500;
  const char* const text = std::getenv("SLIPWAY_SLOW_CLIENTS");
  EXPECT_TRUE(text == nullptr || absl::SimpleAtoi(text, &wanted));
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const int descriptors = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20)) - 100;
  return std::min(wanted, descriptors / 2);  // both ends are in this process
}

std::ptrdiff_t Threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

class SlowClientsTest : public HttpServerTest {
 protected:
  // Connected clients, each of which has sent the first byte of `request`.
  std::vector<TestClient> Connect(int count, absl::string_view request) {
    std::vector<TestClient> clients;
    for (int i = 0; i < count; ++i) {
      clients.push_back(Client());
      EXPECT_TRUE(clients.back().Send(request.substr(0, 1)));
    }
    return clients;
  }
};

TEST_F(SlowClientsTest, LeaveOthersUndisturbedAndTakeNoThread) {
  Start();
  EXPECT_EQ(Ask(kHello).status, 200);
  const std::ptrdiff_t threads_before = Threads();
  const std::string request =
      absl::StrCat("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", "x");
  std::vector<TestClient> slow = Connect(SlowClients(), request);
  TestClient quick = Client();
  absl::Duration slowest;
  for (const char c : request.substr(1)) {
    for (TestClient& client : slow) ASSERT_TRUE(client.Send({&c, 1}));
    const absl::Time asked = absl::Now();
    EXPECT_EQ(quick.Ask(kHello).status, 200);
    slowest = std::max(slowest, absl::Now() - asked);
  }
  RecordProperty("slowest_answer_us", static_cast<int>(absl::ToInt64Microseconds(slowest)));
  EXPECT_LT(slowest, absl::Seconds(5));  // not a matter of their number
  EXPECT_EQ(Value("test_http_connections"), static_cast<double>(slow.size() + 1));
  EXPECT_LE(Threads(), threads_before + 4);  // at most the pool's
  for (TestClient& client : slow) ASSERT_TRUE(client.Send("12345678"));
  for (TestClient& client : slow) ASSERT_EQ(client.Read().body, "x12345678");
}

TEST_F(SlowClientsTest, AreToldAndDroppedWhenTheirTimeIsOver) {
  options_.header_timeout = absl::Seconds(1);
  Start();
  std::vector<TestClient> slow = Connect(SlowClients() / 5, kHello);
  for (TestClient& client : slow) {
    ASSERT_EQ(client.Read().status, 408);
    ASSERT_TRUE(client.AtEnd());
  }
}

}  // namespace
}  // namespace slipway::base::net
