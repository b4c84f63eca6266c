#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "base/net/grpc/test_service.h"
#include "base/net/grpc/test_socket.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;

// As it ends itself, before the connection goes.
auto Stopped() {
  return StatusIs(absl::StatusCode::kUnavailable, ::testing::HasSubstr("the server stops"));
}

TEST(Drain, RunningStreamsFinishAndNewCallsAreRefused) {  // Z41, ZR10
  TestServer server;
  const auto channel = OpenChannel(server.port());
  EchoStream stream(*channel);
  std::string back;
  ASSERT_TRUE(stream.Send("before"));
  ASSERT_TRUE(stream.Receive(&back));
  // A client that watches learns of the drain before GOAWAY: what it hears last proves that the
  // drain has begun.
  EchoStream watch(*channel, "/grpc.health.v1.Health/Watch");
  ASSERT_TRUE(watch.Send(""));
  ASSERT_TRUE(watch.Receive(&back));
  std::thread drain([&] { server.server->Drain(absl::Minutes(10)); });
  EXPECT_THAT(watch.Finish(), StatusIs(absl::StatusCode::kUnavailable));
  ASSERT_TRUE(stream.Send("after"));
  ASSERT_TRUE(stream.Receive(&back));
  EXPECT_EQ(back, "after");
  EXPECT_OK(stream.Finish());
  drain.join();
  EXPECT_THAT(Echo(*OpenChannel(server.port()), "new"), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(Drain, CancelsWhatDoesNotEndInTime) {  // ZR10
  TestServer server;
  const auto channel = OpenChannel(server.port());
  std::vector<std::unique_ptr<EchoStream>> streams;
  for (int i = 0; i < 64; ++i) {
    streams.push_back(std::make_unique<EchoStream>(*channel));
    ASSERT_TRUE(streams.back()->Send("x"));
  }
  server.echo.AwaitRunning(64);
  const absl::Time start = absl::Now();
  server.server->Drain(absl::Milliseconds(100));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  server.echo.AwaitRunning(0);
  EXPECT_EQ(server.echo.cancelled(), 64);
  for (const auto& stream : streams) EXPECT_THAT(stream->Finish(), Stopped());
}

TEST(Drain, EachKindOfCallIsToldWhyItEnds) {  // Z41
  TestServer server;
  const auto channel = OpenChannel(server.port());
  absl::StatusOr<std::string> answer;
  std::thread unary([&] { answer = Echo(*channel, "wait"); });
  EchoStream stream(*channel);
  ASSERT_TRUE(stream.Send("x"));
  server.echo.AwaitRunning(2);
  EchoStream watch(*channel, "/grpc.health.v1.Health/Watch");
  std::string back;
  ASSERT_TRUE(watch.Send(""));
  ASSERT_TRUE(watch.Receive(&back));
  // Of the reflection library, which knows nothing of ServerCall: "host", then "list services".
  EchoStream reflection(*channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  ASSERT_TRUE(reflection.Send(absl::string_view("\x3a\0", 2)));
  ASSERT_TRUE(reflection.Receive(&back));
  server.server->Drain(absl::Milliseconds(100));
  unary.join();
  EXPECT_THAT(answer, Stopped());
  EXPECT_THAT(stream.Finish(), Stopped());
  EXPECT_THAT(watch.Finish(/*half_close=*/false), Stopped());
  EXPECT_THAT(reflection.Finish(/*half_close=*/false), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(Drain, MayBeAskedForOftenAndFromManyThreads) {
  TestServer server;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { server.server->Drain(absl::Seconds(5)); });
  }
  for (std::thread& thread : threads) thread.join();
  server.server->Drain(absl::ZeroDuration());
}

TEST(Drain, AConnectionThatNeverSpeaksDoesNotHoldItUp) {
  TestServer server;
  TestSocket silent(server.port());
  EXPECT_THAT(Echo(*OpenChannel(server.port()), "a"), IsOkAndHolds("a"));
  const absl::Time start = absl::Now();
  server.server->Drain(absl::Seconds(1));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

TEST(Drain, AClientThatNeverAnswersGoawayDoesNotHoldItUp) {
  TestServer server;
  TestSocket silent(server.port());
  silent.Send(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  ASSERT_GT(silent.Receive(), 0);  // the server's settings: the connection is up
  const absl::Time start = absl::Now();
  server.server->Drain(absl::Minutes(10));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

}  // namespace
}  // namespace slipway::base::net
