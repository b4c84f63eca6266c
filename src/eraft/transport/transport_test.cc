#include "eraft/transport/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/codec.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/test_transports.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::FrameClass;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

static_assert(link::kFrameBytesMax == kFrameBytesMax, "what a node sends can be sent");

TEST_F(Transports, TenThousandFramesArriveInOrder) {  // E122
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  constexpr int kFrames = 10'000;
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_OK(node(1).Send(2, FrameClass::kBulk, Text(absl::StrCat(i, std::string(100, 'x')))));
  }
  ASSERT_TRUE(node(2).WaitFrames(kFrames));
  const auto frames = node(2).frames();
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_EQ(frames[static_cast<size_t>(i)],
              std::make_pair(uint64_t{1}, Text(absl::StrCat(i, std::string(100, 'x')))));
  }
  EXPECT_THAT(node(1).metrics().Text(),
              HasSubstr("eraft_transport_sent_frames_total{node=\"1\",peer=\"2\"} 10000"));
  EXPECT_THAT(node(2).metrics().Text(),
              HasSubstr("eraft_transport_received_frames_total{node=\"2\",peer=\"1\"} 10000"));
}

TEST_F(Transports, LargeFramesOfAllClassesArriveWhole) {  // E122
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  base::Bytes large(link::kFrameBytesMax);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<uint8_t>(i * i >> 7);
  ASSERT_OK(node(1).Send(2, FrameClass::kBulk, large));
  ASSERT_OK(node(1).Send(2, FrameClass::kSnapshot, large));
  ASSERT_OK(node(1).Send(2, FrameClass::kControl, Text("heartbeat")));
  EXPECT_THAT(node(1).Send(2, FrameClass::kBulk, base::Bytes(large.size() + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_TRUE(node(2).WaitFrames(3));
  int whole = 0;
  for (const auto& [peer, frame] : node(2).frames()) whole += frame == large ? 1 : 0;
  EXPECT_EQ(whole, 2);
}

TEST_F(Transports, ThreeNodesTalkToEachOther) {
  for (raft::NodeId id = 1; id <= 3; ++id) Make({.id = id});
  Introduce();
  for (raft::NodeId from = 1; from <= 3; ++from) {
    for (raft::NodeId to = 1; to <= 3; ++to) {
      if (from == to) continue;
      ASSERT_TRUE(node(from).WaitConnected(to));
      ASSERT_OK(node(from).Send(to, absl::StrCat(from)));
    }
  }
  for (raft::NodeId id = 1; id <= 3; ++id) ASSERT_TRUE(node(id).WaitFrames(2));
  EXPECT_THAT(node(1).frames(),
              testing::UnorderedElementsAre(Pair(2, Text("2")), Pair(3, Text("3"))));
  EXPECT_THAT(node(1).Send(1, "me"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(Transports, AFullServerStillTakesItsPeers) {  // E174
  TestNodeOptions options;
  options.server.calls_max = 0;
  MakeTwo(options, options);
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1));
}

TEST_F(Transports, RoundTripsAndClocksAreMeasured) {  // E31, E35
  MakeTwo();
  ASSERT_TRUE(WaitUntil([&] { return node(1).StatusOf(2).rtt > absl::ZeroDuration(); }));
  const PeerStatus status = node(1).StatusOf(2);
  EXPECT_GE(status.rtt_p99, status.rtt);
  EXPECT_LT(absl::AbsDuration(status.clock_difference), absl::Seconds(5));
  EXPECT_EQ(status.feature_level, 1u);
  EXPECT_THAT(node(1).metrics().Text(),
              HasSubstr("eraft_raft_peer_rtt_seconds_count{node=\"1\",peer=\"2\"}"));
}

TEST_F(Transports, NodesOfTwoClustersRefuseEachOther) {  // E123
  MakeTwo({}, {.cluster = 2});
  EXPECT_TRUE(node(1).WaitError(2, "belongs to cluster"));
  EXPECT_TRUE(node(2).WaitError(1, "belongs to cluster"));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
}

TEST_F(Transports, AWipedPeerIsRefusedEvenAfterARestart) {  // E123
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_TRUE(node(2).WaitConnected(1));
  Make({.id = 1});
  dirs_.erase(2);
  Make({.id = 2, .incarnation = 999});
  Introduce();
  EXPECT_TRUE(node(1).WaitError(2, "its data are not those that it had"));
  EXPECT_TRUE(node(2).WaitError(1, "its data are not those that it had"));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
  // Removed and added: it is whoever it now says it is.
  node(1).Know({});
  node(1).Know({&node(2)});
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1));
}

TEST_F(Transports, APeerThatRestartsIsFoundAgain) {  // E16
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  const std::string address = node(2).address();
  nodes_[2].reset();
  ASSERT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).connected; }));
  ASSERT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).error.empty(); }));
  Make({.id = 2, .address = address});
  node(2).Know({&node(1)});
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_OK(node(1).Send(2, "again"));
  ASSERT_TRUE(node(2).WaitFrames(1));
  EXPECT_THAT(node(2).frames(), ElementsAre(Pair(1, Text("again"))));
  EXPECT_THAT(node(1).metrics().Text(),
              HasSubstr("eraft_transport_reconnects_total{node=\"1\",peer=\"2\"} 1"));
}

TEST_F(Transports, APeerThatMovesIsFoundAtItsNewAddress) {  // E16
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  Make({.id = 2});
  Introduce();
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_OK(node(1).Send(2, "there"));
  EXPECT_TRUE(node(2).WaitFrames(1));
}

TEST_F(Transports, ASlowReaderHoldsUpBulkAndNotControl) {  // E122
  MakeTwo({.bulk_bytes_max = 4 << 20});
  ASSERT_TRUE(node(1).WaitConnected(2));
  base::Mutex mutex;
  base::CondVar changed;
  bool go = false;
  node(2).loop().Post([&] {
    const base::MutexLock lock(mutex);
    while (!go) changed.Wait(mutex);
  });
  size_t sent = 0;
  absl::Status status;
  while (sent < 1000 && status.ok()) {
    status = node(1).Send(2, FrameClass::kBulk, base::Bytes(1 << 20, 'b'));
    if (status.ok()) ++sent;
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_LT(sent, 100u) << "what waits at the reader is bounded";
  for (int i = 0; i < 1000; ++i) ASSERT_OK(node(1).Send(2, "heartbeat"));
  {
    const base::MutexLock lock(mutex);
    go = true;
  }
  changed.NotifyAll();
  ASSERT_TRUE(node(2).WaitFrames(1000 + sent));
  const auto frames = node(2).frames();
  EXPECT_EQ(frames.back().second.size(), size_t{1} << 20) << "control overtook bulk";
}

TEST_F(Transports, StopEndsEverythingWhileItIsBusy) {
  MakeTwo();
  node(2).OnFrame([&](uint64_t peer, const base::Bytes& frame) {
    node(2).Send(peer, FrameClass::kBulk, frame).IgnoreError();
  });
  ASSERT_TRUE(node(1).WaitConnected(2));
  std::atomic<bool> end{false};
  std::thread sender([&] {
    while (!end.load()) {
      node(1).Send(2, FrameClass::kBulk, base::Bytes(10'000)).IgnoreError();
      node(1).Send(2, FrameClass::kSnapshot, base::Bytes(2 << 20)).IgnoreError();
      std::this_thread::yield();
    }
  });
  ASSERT_TRUE(node(2).WaitFrames(10));
  node(2).transport().Stop();
  const size_t received = node(2).frames().size();
  node(1).transport().Stop();
  end.store(true);
  sender.join();
  EXPECT_EQ(node(2).frames().size(), received) << "a frame came after Stop";
  EXPECT_THAT(node(2).transport().Status(), IsEmpty());
}

TEST_F(Transports, ATokenIsShownWithEachStreamAndAskedFor) {  // E191
  MakeTwo({.id = 1, .token = "one", .wanted_token = "two"}, {.id = 2, .token = "no"});
  EXPECT_TRUE(node(2).WaitError(1, "no token of a node"));
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_FALSE(node(2).StatusOf(1).connected);
  MakeTwo({.id = 1, .token = "one", .wanted_token = "two"},
          {.id = 2, .token = "two", .wanted_token = "one"});
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1));
}

}  // namespace
}  // namespace slipway::eraft
