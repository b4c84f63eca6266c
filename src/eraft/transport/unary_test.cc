// Frames as calls of raftpb.RaftService.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/net/grpc/grpc_client.h"
#include "base/testing/status_matchers.h"
#include "compat/raftpb/raft.grpc.pb.h"
#include "eraft/transport/test_transports.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::FrameClass;
using ::testing::HasSubstr;

// E124: the same frames as calls of raftpb.RaftService; one node sends so and the other by streams.
TEST_F(Transports, UnaryCallsCarryFramesToo) {
  MakeTwo({.id = 1, .unary = true, .token = "one"},
          {.id = 2, .token = "two", .wanted_token = "one"});
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_TRUE(node(2).WaitConnected(1));
  for (int i = 0; i < 300; ++i) ASSERT_OK(node(1).Send(2, absl::StrCat("frame", i)));
  base::Bytes large(3 << 20, uint8_t{7});
  ASSERT_OK(node(1).Send(2, FrameClass::kSnapshot, large));
  ASSERT_OK(node(2).Send(1, "back"));
  ASSERT_TRUE(node(2).WaitFrames(301));
  ASSERT_TRUE(node(1).WaitFrames(1));
  int next = 0;
  bool whole = false;
  for (const auto& [peer, frame] : node(2).frames()) {
    EXPECT_EQ(peer, 1u);
    if (frame == large) {
      whole = true;
    } else {
      EXPECT_EQ(frame, Text(absl::StrCat("frame", next++)));
    }
  }
  EXPECT_TRUE(whole);
  EXPECT_EQ(next, 300);
  EXPECT_TRUE(WaitUntil([&] { return node(1).StatusOf(2).rtt > absl::ZeroDuration(); }));
  TestNodeOptions again{.id = 2, .token = "two", .wanted_token = "one"};
  again.address = node(2).address();
  Make(again);
  Introduce();
  EXPECT_TRUE(node(1).WaitConnected(2)) << "a new stream after a restart";
}

// Nodes of other programs, whose requests are those of the reference.
TEST_F(Transports, ForeignRaftRequestsAreRefused) {  // E124
  Make({.id = 1});
  base::os::LinuxFiles files;
  base::os::SystemClock clock;
  const auto channel =
      base::net::Channel::Open({.address = node(1).address()}, files, clock.Wall()).value();
  const auto stub = raftpb::RaftService::NewStub(channel->raw().channel);
  raftpb::AppendEntriesRequest append;
  append.set_term(7);
  append.add_entries()->set_command("a command of another program");
  raftpb::AppendEntriesResponse appended;
  grpc::ClientContext first, second;
  const grpc::Status answer = stub->AppendEntries(&first, append, &appended);
  EXPECT_EQ(answer.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_THAT(answer.error_message(), HasSubstr("not mixed with nodes of other"));
  raftpb::RequestVoteResponse voted;
  EXPECT_EQ(stub->RequestVote(&second, {}, &voted).error_code(), grpc::FAILED_PRECONDITION);
}

}  // namespace
}  // namespace slipway::eraft
