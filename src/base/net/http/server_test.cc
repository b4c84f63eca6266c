#include "base/net/http/server.h"

#include <gmock/gmock.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/net/http/target.h"
#include "base/net/http/test_server.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr absl::string_view kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

std::string Post(size_t length, absl::string_view body) {
  return absl::StrCat("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ", length, "\r\n\r\n",
                      body);
}

TEST_F(HttpServerTest, ServesManyRequestsOnOneConnection) {
  Start();
  TestClient client = Client();
  for (int i = 0; i < 20; ++i) {
    const TestResponse response = client.Ask(kHello);
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "hello\n");
    EXPECT_EQ(response.Header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response.Header("Server"), "");
    EXPECT_EQ(response.Header("Connection"), "");
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  TestClient client = Client();
  std::string all;
  for (int i = 0; i < 50; ++i)
    absl::StrAppend(&all, "GET /name/", i, " HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(client.Send(all + Post(3, "abc")));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Read().body, absl::StrCat(i));
  EXPECT_EQ(client.Read().body, "abc");
}

TEST_F(HttpServerTest, TakesARequestByteByByte) {
  Start();
  TestClient client = Client();
  for (const char c : absl::StrCat("\r\n", Post(3, "abc"))) ASSERT_TRUE(client.Send({&c, 1}));
  EXPECT_EQ(client.Read().body, "abc");
}

TEST_F(HttpServerTest, TakesChunkedBodiesAndTheirTrailers) {
  Start();
  TestClient client = Client();
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(client.Ask(head + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n").body, "abcde");
  EXPECT_EQ(client.Ask(head + "0\r\n\r\n").status, 200);
  for (const char c : head + "1\r\nz\r\n0\r\n\r\n") ASSERT_TRUE(client.Send({&c, 1}));
  EXPECT_EQ(client.Read().body, "z");
  // Beast alone asserts where the last chunk comes in pieces.
  for (const char c : head + "0\r\n\r\n") ASSERT_TRUE(client.Send({&c, 1}));
  EXPECT_EQ(client.Read().status, 200);
}

TEST_F(HttpServerTest, AnswersHeadWithTheLengthAndNoBody) {
  Start();
  TestClient client = Client();
  client.Send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  const TestResponse head = client.Read(/*head_only=*/true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("Content-Length"), "6");
  EXPECT_EQ(client.Ask(kHello).body, "hello\n");  // so no body came in between
}

TEST_F(HttpServerTest, KeepsHttp10ConnectionsOnlyWhenAsked) {
  Start();
  TestClient client = Client();
  const TestResponse kept = client.Ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.Header("Connection"), "keep-alive");
  EXPECT_EQ(client.Ask("GET /hello HTTP/1.0\r\n\r\n").Header("Connection"), "close");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpServerTest, ClosesWhenTheClientSaysSo) {
  Start();
  TestClient client = Client();
  EXPECT_EQ(client.Ask("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .Header("Connection"),
            "close");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpServerTest, SaysContinueBeforeTheBody) {
  Start();
  TestClient client = Client();
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.Read().status, 100);
  EXPECT_EQ(client.Ask("abc").body, "abc");
}

TEST_F(HttpServerTest, RefusesTooLargeABodyBeforeItIsSent) {
  options_.body_bytes_max = 1000;
  Start();
  EXPECT_EQ(Ask(Post(1000, std::string(1000, 'a'))).status, 200);
  const std::string expect =
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n";
  EXPECT_EQ(Ask(expect).status, 413);
  const TestResponse refused = Ask(Post(1001, ""));
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body, HasSubstr("\"RESOURCE_EXHAUSTED\""));
  EXPECT_EQ(Value("test_http_refused_total{reason=\"too_large\"}"), 2);
}

// The answer must not be lost to a reset because the client was still sending.
TEST_F(HttpServerTest, ARefusalReachesAClientThatSendsOn) {
  options_.body_bytes_max = 1000;
  Start();
  for (int i = 0; i < 20; ++i) {
    TestClient client = Client();
    client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.Send("fffff\r\n");
    client.Send(std::string(100'000, 'a'));
    ASSERT_EQ(client.Read().status, 413);
    EXPECT_TRUE(client.AtEnd());
  }
}

TEST_F(HttpServerTest, RefusesWhatIsMalformedOrTooLong) {
  Start();
  const std::string get = "GET /hello HTTP/1.1\r\nHost: a\r\n";
  const std::string post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  const std::string long_name(kTargetBytesMax, 'a');
  std::string many_fields = get;
  for (int i = 0; i < 101; ++i) absl::StrAppend(&many_fields, "A", i, ": b\r\n");
  const std::vector<std::pair<std::string, int>> cases = {
      {"\x16\x03\x01\x02", 400},
      {"GET\r\n\r\n", 400},
      {"GET /hello\r\n\r\n", 400},
      {"GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a/../hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /hello%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /hello HTTP/2.0\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {get + "no colon\r\n\r\n", 400},
      {get + "A : b\r\n\r\n", 400},
      {get + "A: b\nC: d\r\n\r\n", 400},
      {get + std::string("A: \0\r\n\r\n", 8), 400},
      {get + "Host: b\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\nA: b\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\nHost: " + std::string(256, 'a') + "\r\n\r\n", 400},
      {get + "Expect: magic\r\n\r\n", 417},
      {get + "Authorization: a\r\nAuthorization: b\r\n\r\n", 400},
      {post + "Content-Length: -1\r\n\r\n", 400},
      {post + "Content-Length: 3, 3\r\n\r\nabc", 400},
      {post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400},
      {post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
      {post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(20'000, 'x'), 400},
      {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"GET /" + long_name + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"GET /" + long_name + long_name, 414},
      {"GET /?" + long_name + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {get + "A: " + std::string(16 << 10, 'b') + "\r\n\r\n", 431},
      {get + "A: " + std::string(16 << 10, 'b'), 431},
      {many_fields + "\r\n", 431},
  };
  for (const auto& [request, status] : cases) {
    TestClient client = Client();
    const TestResponse response = client.Ask(request);
    EXPECT_EQ(response.status, status) << request.substr(0, 80);
    EXPECT_THAT(response.body, HasSubstr("{\"error\":{\"code\":\"")) << request.substr(0, 80);
    EXPECT_EQ(response.Header("Connection"), "close");
    EXPECT_TRUE(client.AtEnd()) << request.substr(0, 80);
  }
  EXPECT_EQ(Ask(kHello).status, 200);
}

TEST_F(HttpServerTest, DropsAConnectionThatEndsInARequest) {
  Start();
  for (const std::string& part : {std::string(kHello.substr(0, 10)), Post(10, "abc")}) {
    TestClient client = Client();
    client.Send(part);
    client.HalfClose();
    EXPECT_TRUE(client.AtEnd());
  }
}

TEST_F(HttpServerTest, AnswersAClientThatOnlyHalfClosed) {
  Start();
  TestClient client = Client();
  client.Send(kHello);
  client.HalfClose();
  EXPECT_EQ(client.Read().body, "hello\n");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpServerTest, AMalformedAnswerOfAHandlerIsA500) {
  Start();
  TestClient client = Client();
  const TestResponse response = client.Ask("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(response.head + response.body, Not(HasSubstr("Set-Cookie")));
  EXPECT_EQ(client.Ask(kHello).status, 200);
}

TEST_F(HttpServerTest, TellsTheHandlerWhoCalls) {
  Start();
  const TestResponse response =
      Ask("GET /call HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer abc\r\ntraceparent: "
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n");
  EXPECT_THAT(response.body, MatchesRegex("ipv4:127\\.0\\.0\\.1:[0-9]+\\|\\|Bearer abc\\|"
                                          "0af7651916cd43dd8448eb211c80319c\\|"));
}

TEST_F(HttpServerTest, AFullPoolIs503AndTheConnectionLives) {
  Start();
  TestClient client = Client();
  pool_.full = true;
  const TestResponse busy = client.Ask(kHello);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.Header("Retry-After"), "1");
  pool_.full = false;
  EXPECT_EQ(client.Ask(kHello).status, 200);
  EXPECT_EQ(Value("test_http_refused_total{reason=\"busy\"}"), 1);
}

// Liveness and readiness are asked by those who restart and route: they come without the pool.
TEST_F(HttpServerTest, HealthAnswersWhileEveryThreadOfThePoolIsStuck) {
  Health health;
  health.SetPhase(Health::Phase::kServing);
  HttpRouter router;
  AddHealthRoutes(router, health, metrics_);
  std::atomic<int> waiting = 0;
  router.Add("GET", "/wait", [&](const HttpRequest&) {
    ++waiting;
    EXPECT_TRUE(go_.Await());
    return HttpResponse{.body = "waited\n"};
  });
  ASSERT_OK_AND_ASSIGN(server_, HttpServer::Start(options_, std::move(router), pool_, metrics_));
  std::vector<TestClient> stuck;
  for (int i = 0; i < pool_.threads(); ++i) {
    stuck.push_back(Client());
    stuck.back().Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  while (waiting < pool_.threads()) std::this_thread::yield();
  for (const bool full : {false, true}) {
    pool_.full = full;
    TestClient client = Client();
    for (const char* path : {"/livez", "/healthz", "/readyz", "/ready?verbose", "/health"}) {
      EXPECT_EQ(client.Ask(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\n\r\n")).status, 200)
          << path;
    }
    if (full) {
      EXPECT_EQ(client.Ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").status, 503);
    }
  }
  go_.Open();
  for (TestClient& client : stuck) EXPECT_EQ(client.Read().status, 200);
}

TEST_F(HttpServerTest, ASlowHandlerIs504IsCancelledAndItsAnswerDropped) {
  options_.handler_timeout = absl::Milliseconds(50);
  Start();
  TestClient client = Client();
  EXPECT_EQ(client.Ask("GET /cancel HTTP/1.1\r\nHost: a\r\n\r\n").status, 504);
  EXPECT_TRUE(cancelled_.Await());
  EXPECT_EQ(reason_, static_cast<int>(CancelReason::Kind::kTimeout));
  EXPECT_TRUE(client.AtEnd());  // and no "late"
}

TEST_F(HttpServerTest, AClientThatGoesAwayCancelsItsCall) {
  for (const bool reset : {false, true}) {
    options_.addresses = {"127.0.0.1:0"};
    server_.reset();
    Start();
    TestClient client = Client();
    client.Send("GET /cancel HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(entered_.Await());
    reset ? client.Reset() : client.Close();
    EXPECT_TRUE(cancelled_.Await());
    EXPECT_EQ(reason_, static_cast<int>(CancelReason::Kind::kOther));
  }
}

TEST_F(HttpServerTest, ASlowHeaderOrBodyIs408) {
  options_.header_timeout = options_.body_timeout = absl::Milliseconds(50);
  Start();
  for (const std::string& part : {std::string(kHello.substr(0, 10)), Post(10, "abc")}) {
    TestClient client = Client();
    const TestResponse response = client.Ask(part);
    EXPECT_EQ(response.status, 408);
    EXPECT_TRUE(client.AtEnd());
  }
  EXPECT_EQ(Value("test_http_refused_total{reason=\"timeout\"}"), 2);
}

TEST_F(HttpServerTest, ABodyHasItsOwnTime) {
  options_.body_timeout = absl::Milliseconds(50);  // the header's would be 10 s
  Start();
  TestClient client = Client();
  const absl::Time begin = absl::Now();
  EXPECT_EQ(client.Ask(Post(10, "abc")).status, 408);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(8));
}

TEST_F(HttpServerTest, AnIdleConnectionIsClosedWithoutAWord) {
  options_.idle_timeout = absl::Milliseconds(50);
  Start();
  TestClient fresh = Client();
  EXPECT_TRUE(fresh.AtEnd());
  TestClient used = Client();
  EXPECT_EQ(used.Ask(kHello).status, 200);
  EXPECT_TRUE(used.AtEnd());
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsDropped) {
  options_.write_timeout = absl::Milliseconds(100);
  Start();
  TestClient client = Client();
  client.Send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  while (Value("test_http_refused_total{reason=\"timeout\"}") < 1) std::this_thread::yield();
  EXPECT_TRUE(client.Gone());
  EXPECT_EQ(Ask(kHello).status, 200);
}

TEST_F(HttpServerTest, BodiesTogetherAreBounded) {
  options_.memory_bytes_max = 1000;
  Start();
  TestClient holder = Client();
  holder.Send(Post(900, std::string(800, 'a')));
  // Until the server has it: then two hundred are too many.
  TestResponse busy;
  do {
    busy = Ask(Post(500, std::string(500, 'b')));
  } while (busy.status == 200);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.Header("Retry-After"), "1");
  EXPECT_EQ(Ask("GET /big HTTP/1.1\r\nHost: a\r\n\r\n").status, 503);
  holder.Close();
  while (Ask(Post(500, std::string(500, 'b'))).status != 200) std::this_thread::yield();
}

TEST_F(HttpServerTest, TooManyConnectionsAreClosedAndCounted) {
  options_.connections_max = 2;
  Start();
  TestClient first = Client();
  TestClient second = Client();
  EXPECT_EQ(first.Ask(kHello).status, 200);
  EXPECT_EQ(second.Ask(kHello).status, 200);
  EXPECT_EQ(Value("test_http_connections"), 2);
  EXPECT_TRUE(Client().Gone());
  EXPECT_EQ(Value("test_http_refused_total{reason=\"connections\"}"), 1);
  EXPECT_EQ(first.Ask(kHello).status, 200);
  second.Close();
  while (Client().Ask(kHello).status != 200) std::this_thread::yield();
}

TEST_F(HttpServerTest, CountsRequestsByMethodAndCode) {
  Start();
  TestClient client = Client();
  client.Ask(kHello);
  client.Ask("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
  client.Ask("BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  client.Ask(kHello);
  EXPECT_GE(Value("test_http_requests_total{code=\"200\",method=\"GET\"}"), 1);
  EXPECT_EQ(Value("test_http_requests_total{code=\"404\",method=\"GET\"}"), 1);
  EXPECT_EQ(Value("test_http_requests_total{code=\"405\",method=\"other\"}"), 1);
  EXPECT_GE(Value("test_http_request_seconds_count"), 3);
}

TEST_F(HttpServerTest, DrainFinishesWhatRunsAndClosesWhatWaits) {
  Start();
  TestClient idle = Client();
  EXPECT_EQ(idle.Ask(kHello).status, 200);
  TestClient half = Client();
  half.Send("GET /he");
  TestClient running = Client();
  running.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(entered_.Await());
  std::thread drain([this] { server_->Drain(absl::Seconds(60)); });
  EXPECT_TRUE(idle.Gone());
  idle.Close();
  EXPECT_TRUE(half.Gone());
  EXPECT_FALSE(Client().connected());
  go_.Open();
  const TestResponse response = running.Read();
  EXPECT_EQ(response.body, "waited\n");
  EXPECT_EQ(response.Header("Connection"), "close");
  running.Close();
  drain.join();
  server_->Drain(absl::Seconds(60));  // again: nothing
}

TEST_F(HttpServerTest, DrainCancelsWhatOutlastsIt) {
  Start();
  TestClient running = Client();
  running.Send("GET /cancel HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(entered_.Await());
  server_->Drain(absl::Milliseconds(20));
  EXPECT_TRUE(cancelled_.Await());
  EXPECT_TRUE(running.Gone());
  EXPECT_EQ(Value("test_http_connections"), 0);
}

TEST_F(HttpServerTest, ItsEndWaitsForRunningHandlers) {
  Start();
  TestClient running = Client();
  running.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(entered_.Await());
  std::thread opener([this] { go_.Open(); });
  server_.reset();
  opener.join();
  EXPECT_TRUE(running.Gone());
}

TEST_F(HttpServerTest, ListensOnBothFamilies) {
  const bool has_v6 = TestClient(1, true).connected() || errno == ECONNREFUSED;
  for (const char* address : {":0", "localhost:0"}) {
    options_.addresses = {address};
    server_.reset();
    Start();
    EXPECT_EQ(TestClient(port()).Ask(kHello).status, 200) << address;
    TestClient v6(port(), true);
    if (has_v6 && v6.connected()) {
      EXPECT_THAT(v6.Ask("GET /call HTTP/1.1\r\nHost: a\r\n\r\n").body,
                  MatchesRegex("ipv6:\\[::1\\]:[0-9]+.*"));
    }
    EXPECT_TRUE(!has_v6 || v6.connected() || address[0] == 'l') << address;
    EXPECT_THAT(Ask("GET /call HTTP/1.1\r\nHost: a\r\n\r\n").body, HasSubstr("ipv4:127.0.0.1:"));
  }
}

TEST_F(HttpServerTest, SaysWhichAddressCannotBeBound) {
  Start();
  options_.addresses = {absl::StrCat("127.0.0.1:", port())};
  EXPECT_THAT(HttpServer::Start(options_, {}, pool_, metrics_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr(options_.addresses[0])));
  for (const char* address : {"127.0.0.1", "127.0.0.1:x", "::1:80"}) {
    options_.addresses = {address};
    EXPECT_THAT(HttpServer::Start(options_, {}, pool_, metrics_),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace slipway::base::net
