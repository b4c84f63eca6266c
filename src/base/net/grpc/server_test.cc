#include "base/net/grpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/net/grpc/test_service.h"
#include "base/net/grpc/test_socket.h"
#include "base/testing/free_port.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::HasErrorCode;
using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Server, AnswersUnaryCallsAndStreamsOverBothFamilies) {
  TestServer server({}, {"127.0.0.1:0", "[::1]:0"});
  const auto channel = OpenChannel(server.port());
  EXPECT_THAT(Echo(*channel, "hello"), IsOkAndHolds("hello"));
  EchoStream stream(*channel);
  for (int i = 0; i < 100; ++i) {
    const std::string text(static_cast<size_t>(i) * 1000, 'x');
    ASSERT_TRUE(stream.Send(text));
    std::string back;
    ASSERT_TRUE(stream.Receive(&back));
    ASSERT_EQ(back, text);
  }
  EXPECT_OK(stream.Finish());

  TestServer six({}, {"[::1]:0"});
  EXPECT_THAT(Echo(*OpenChannel(six.port(), {}, "[::1]"), "six"), IsOkAndHolds("six"));
  TestServer any({}, {":0"});  // both families on one port
  EXPECT_THAT(Echo(*OpenChannel(any.port(), {}, "[::1]"), "six"), IsOkAndHolds("six"));
  EXPECT_THAT(Echo(*OpenChannel(any.port()), "four"), IsOkAndHolds("four"));
}

TEST(Server, EachListenerHasItsOwnServices) {
  Health health;
  Metrics metrics;
  EchoService echo;
  ASSERT_OK_AND_ASSIGN(const auto server, Server::Start({{{"127.0.0.1:0"}, nullptr, {&echo}},
                                                         {{"127.0.0.1:0"}, nullptr, {}}},
                                                        {}, health, metrics));
  ASSERT_NE(server->port(0), server->port(1));
  EXPECT_THAT(Echo(*OpenChannel(server->port(0)), "a"), IsOkAndHolds("a"));
  EXPECT_THAT(Echo(*OpenChannel(server->port(1)), "a"), StatusIs(absl::StatusCode::kUnimplemented));
}

TEST(Server, RefusesAnAddressInUseAndNamesIt) {  // Z46
  TestServer first;
  Health health;
  Metrics metrics;
  EchoService echo;
  const std::string taken = absl::StrCat("127.0.0.1:", first.port());
  EXPECT_THAT(Server::Start({{{"127.0.0.1:0"}, nullptr, {&echo}}, {{taken}, nullptr, {&echo}}}, {},
                            health, metrics),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr(taken), HasSubstr("in use by another listener"))));
  // Also where only one address of a name is in use.
  EXPECT_THAT(Server::Start({{{absl::StrCat("localhost:", first.port())}, nullptr, {&echo}}}, {},
                            health, metrics),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("in use")));
  EXPECT_THAT(Server::Start({{{"192.0.2.1:0"}, nullptr, {&echo}}}, {}, health, metrics),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("192.0.2.1:0")));
  EXPECT_THAT(Server::Start({{{"nonsense"}, nullptr, {&echo}}}, {}, health, metrics),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nonsense")));
  EXPECT_THAT(Server::Start({{{}, nullptr, {&echo}}}, {}, health, metrics),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Server, AServiceCanMoveToTheNextServer) {
  EchoService echo;
  Health health;
  Metrics metrics;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto server,
                         Server::Start({{{"127.0.0.1:0"}, nullptr, {&echo}}}, {}, health, metrics));
    EXPECT_THAT(Echo(*OpenChannel(server->port(0)), "a"), IsOkAndHolds("a"));
  }
}

TEST(Server, ErrorsKeepTheirIdAndRetryHint) {
  TestServer server;
  const auto channel = OpenChannel(server.port());
  const absl::Status status = Echo(*channel, "fail").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, "echo: as asked"));
  EXPECT_THAT(status, HasErrorCode("ZK0042"));
  EXPECT_EQ(GetRetryAfter(status), absl::Milliseconds(1234));
}

TEST(Server, AHandlerKnowsItsCaller) {
  TestServer server;
  const auto channel = OpenChannel(server.port());
  ClientCall call = InTime();
  call.token = "secret";
  call.trace = ParseTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1");
  ASSERT_THAT(Echo(*channel, "who", call),
              IsOkAndHolds("|Bearer secret|0af7651916cd43dd8448eb211c80319c"));
  const Call seen = server.echo.last_call();
  EXPECT_THAT(seen.peer, ::testing::StartsWith("ipv4:127.0.0.1:"));
  EXPECT_EQ(seen.trace.tracestate, "a=1");
  EXPECT_LT(seen.deadline, absl::Now() + absl::Seconds(21));
  EXPECT_GT(seen.deadline, absl::Now());
  ClientCall forever;
  ASSERT_OK(Echo(*channel, "who", forever));
  EXPECT_EQ(server.echo.last_call().deadline, absl::InfiniteFuture());
  EXPECT_TRUE(server.echo.last_call().trace.empty());
}

TEST(Server, TheDeadlineAndTheClientCancelACall) {
  TestServer server;
  const auto channel = OpenChannel(server.port());
  ClientCall call;
  call.deadline = absl::Now() + absl::Milliseconds(200);
  EXPECT_THAT(Echo(*channel, "wait", call), StatusIs(absl::StatusCode::kDeadlineExceeded));
  server.echo.AwaitRunning(0);
  EXPECT_EQ(server.echo.cancelled(), 1);

  CancelSource source;
  std::thread canceller([&] {
    server.echo.AwaitRunning(1);
    source.Cancel({});
  });
  EXPECT_THAT(Echo(*channel, "wait", InTime(), kEchoUnary, source.token()),
              StatusIs(absl::StatusCode::kCancelled));
  canceller.join();
  server.echo.AwaitRunning(0);
  EXPECT_EQ(server.echo.cancelled(), 2);
}

TEST(Server, OverItsCallsItRefusesWithAHint) {
  ServerOptions options;
  options.calls_max = 2;
  TestServer server(options);
  const auto channel = OpenChannel(server.port());
  EchoStream one(*channel), two(*channel);
  ASSERT_TRUE(one.Send("x"));
  ASSERT_TRUE(two.Send("x"));
  server.echo.AwaitRunning(2);
  const absl::Status refused = Echo(*channel, "a").status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("as many calls")));
  EXPECT_GT(GetRetryAfter(refused), absl::ZeroDuration());
  EXPECT_THAT(CheckHealth(*channel, ""), IsOkAndHolds("SERVING"));  // also when it is full
  EXPECT_OK(one.Finish());
  server.echo.AwaitRunning(1);
  EXPECT_THAT(Echo(*channel, "a"), IsOkAndHolds("a"));
  EXPECT_OK(two.Finish());
}

TEST(Server, RefusesAMessageThatIsTooLarge) {
  ServerOptions options;
  options.message_bytes_max = 1000;
  TestServer server(options);
  const auto channel = OpenChannel(server.port());
  EXPECT_THAT(Echo(*channel, std::string(2000, 'x')),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("Received message larger than max (2000 vs. 1000)")));
  EXPECT_OK(Echo(*channel, std::string(900, 'x')));
}

TEST(Server, RefusesCompressedMessagesBeforeTheyAreInflated) {
  TestServer server;
  const auto channel = OpenChannel(server.port());
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  grpc::GenericStub stub(channel->raw().channel);
  grpc::CompletionQueue queue;
  // 3 MiB of one letter are 3 KiB on the wire.
  const auto call =
      stub.PrepareUnaryCall(&context, kEchoUnary, ToBuffer(std::string(3 << 20, 'x')), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("gzip"));
}

TEST(Server, OpenReflectionStreamsHaveFewThreads) {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
  };
  TestServer server;
  const auto channel = OpenChannel(server.port());
  std::vector<std::unique_ptr<EchoStream>> streams;
  const auto before = threads();
  for (int i = 0; i < 100; ++i) {
    streams.push_back(std::make_unique<EchoStream>(
        *channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"));
  }
  // The last of them is answered: refused, for want of a thread.
  EXPECT_THAT(streams.back()->Finish(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_LT(threads(), before + 40);
  EXPECT_THAT(Echo(*channel, "a"), IsOkAndHolds("a"));
}

TEST(Server, OneConnectionRunsOnlySoManyStreams) {
  ServerOptions options;
  options.streams_per_connection_max = 2;
  TestServer server(options);
  const auto channel = OpenChannel(server.port());
  EchoStream one(*channel), two(*channel);
  std::string back;
  ASSERT_TRUE(one.Send("x") && one.Receive(&back));
  ASSERT_TRUE(two.Send("x") && two.Receive(&back));
  ClientCall call;
  call.deadline = absl::Now() + absl::Milliseconds(200);
  EXPECT_THAT(Echo(*channel, "a", call), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_OK(one.Finish());
  EXPECT_THAT(Echo(*channel, "a"), IsOkAndHolds("a"));
  EXPECT_OK(two.Finish());
}

TEST(Server, ClosesConnectionsThatDoNotBeginOrHaveNothingToDo) {
  ServerOptions options;
  options.handshake_timeout = absl::Milliseconds(100);
  TestServer silent(options);
  EXPECT_TRUE(TestSocket(silent.port()).AwaitClose());
  options = {};
  options.idle_timeout = absl::Milliseconds(100);
  TestServer idle(options);
  const auto channel = OpenChannel(idle.port());
  ASSERT_OK(Echo(*channel, "a"));
  // Closed by the server, and opened again for the next call.
  grpc_connectivity_state state = channel->raw().channel->GetState(false);
  while (state == GRPC_CHANNEL_READY) {
    ASSERT_TRUE(channel->raw().channel->WaitForStateChange(
        state, absl::ToChronoTime(absl::Now() + absl::Seconds(20))));
    state = channel->raw().channel->GetState(false);
  }
  EXPECT_OK(Echo(*channel, "a"));
}

TEST(Server, CountsCallsUnderNamesItKnows) {
  TestServer server;
  const auto channel = OpenChannel(server.port());
  ASSERT_OK(Echo(*channel, "a"));
  ASSERT_OK(Echo(*channel, "b"));
  EXPECT_FALSE(Echo(*channel, "fail").ok());
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Echo(*channel, "a", InTime(), absl::StrCat("/made.up/Name", i).c_str()),
                StatusIs(absl::StatusCode::kUnimplemented));
  }
  ASSERT_OK(CheckHealth(*channel, ""));
  // A call is counted when gRPC has let go of it, a moment after its client has the status.
  for (const char* const line : {
           "test_rpc_requests_total{code=\"OK\",method=\"Unary\",service=\"slipway.test.Echo\"} 2",
           "test_rpc_requests_total{code=\"ABORTED\",method=\"Unary\",service=\"slipway.test."
           "Echo\"} 1",
           "test_rpc_requests_total{code=\"UNIMPLEMENTED\",method=\"other\",service=\"other\"} 5",
           "test_rpc_requests_total{code=\"OK\",method=\"Check\",service=\"grpc.health.v1.Health\"}"
           " 1",
           "test_rpc_seconds_count{method=\"Unary\",service=\"slipway.test.Echo\"} 3",
           "test_rpc_inflight{service=\"slipway.test.Echo\"} 0",
       }) {
    const absl::Time give_up = absl::Now() + absl::Seconds(20);
    while (!absl::StrContains(server.metrics.Text(), line) && absl::Now() < give_up) {
      std::this_thread::yield();
    }
    EXPECT_THAT(server.metrics.Text(), HasSubstr(line));
  }
  EXPECT_THAT(server.metrics.Text(), Not(HasSubstr("made")));
}

TEST(Server, HealthFollowsTheProcess) {  // Z41
  TestServer server;
  const auto channel = OpenChannel(server.port());
  for (const char* name : {"", kEchoService, "grpc.health.v1.Health"}) {
    EXPECT_THAT(CheckHealth(*channel, name), IsOkAndHolds("SERVING")) << name;
  }
  EXPECT_THAT(CheckHealth(*channel, "no.such.Service"), StatusIs(absl::StatusCode::kNotFound));
  server.health.Set("storage", false, "no space left");
  EXPECT_THAT(CheckHealth(*channel, kEchoService), IsOkAndHolds("NOT_SERVING"));
  server.health.Set("storage", true);
  EXPECT_THAT(CheckHealth(*channel, kEchoService), IsOkAndHolds("SERVING"));
  server.health.SetPhase(Health::Phase::kDraining);
  EXPECT_THAT(CheckHealth(*channel, ""), IsOkAndHolds("NOT_SERVING"));
}

// HealthCheckResponse with its one field, an enum.
constexpr char kServing[] = "\x08\x01", kNotServing[] = "\x08\x02", kServiceUnknown[] = "\x08\x03";

TEST(Server, AWatchHearsEachChangeAndTheDrain) {
  TestServer server;
  const auto channel = OpenChannel(server.port());
  EchoStream watch(*channel, "/grpc.health.v1.Health/Watch"),
      unknown(*channel, "/grpc.health.v1.Health/Watch");
  ASSERT_TRUE(watch.Send("\x0a\x11" + std::string(kEchoService)));
  ASSERT_TRUE(unknown.Send("\x0a\x04none"));
  std::string status;
  ASSERT_TRUE(watch.Receive(&status));
  EXPECT_EQ(status, kServing);
  ASSERT_TRUE(unknown.Receive(&status));
  EXPECT_EQ(status, kServiceUnknown);
  server.health.Set("storage", false);
  ASSERT_TRUE(watch.Receive(&status));
  EXPECT_EQ(status, kNotServing);
  server.health.Set("storage", true);
  ASSERT_TRUE(watch.Receive(&status));
  EXPECT_EQ(status, kServing);
  std::thread drain([&] { server.server->Drain(absl::InfiniteDuration()); });
  ASSERT_TRUE(watch.Receive(&status));
  EXPECT_EQ(status, kNotServing);
  EXPECT_THAT(watch.Finish(), StatusIs(absl::StatusCode::kUnavailable));
  drain.join();  // watching alone does not hold it up
}

TEST(Server, ReflectionListsItsServices) {
  const std::string list = "\x3a\x01*";  // list_services: "*"
  const char* method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  {
    TestServer server;
    const auto channel = OpenChannel(server.port());
    EchoStream stream(*channel, method);
    ASSERT_TRUE(stream.Send(list));
    std::string answer;
    ASSERT_TRUE(stream.Receive(&answer));
    EXPECT_THAT(answer, AllOf(HasSubstr(kEchoService), HasSubstr("grpc.health.v1.Health")));
    EXPECT_OK(stream.Finish());
  }
  ServerOptions options;
  options.reflection = false;
  TestServer server(options);
  const auto channel = OpenChannel(server.port());
  EchoStream stream(*channel, method);
  EXPECT_THAT(stream.Finish(), StatusIs(absl::StatusCode::kUnimplemented));
}

TEST(Channel, RefusesAnAddressItCannotCall) {
  os::LinuxFiles files;
  for (const char* address : {"", "host", ":80", "host:0"}) {
    ChannelOptions options;
    options.address = address;
    EXPECT_THAT(Channel::Open(options, files, absl::Now()),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << address;
  }
}

TEST(Channel, ACallToNobodyIsUnavailableAtOnce) {
  TestServer server;
  const int port = server.port();
  server.server.reset();
  EXPECT_THAT(Echo(*OpenChannel(port), "a"), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace slipway::base::net
