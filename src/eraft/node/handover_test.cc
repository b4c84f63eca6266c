// A leader's way out of its office (E195), with peers that stay, go and are gone. And who wakes a
// group whose leader died while it slept (E108).
#include "eraft/node/handover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/testing/status_matchers.h"
#include "eraft/node/test_cluster.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kElection = absl::Seconds(1);  // of TestCluster::Small
constexpr absl::Duration kLimit = absl::Seconds(2);
constexpr absl::Duration kLook = absl::Milliseconds(10);

using Sights = std::function<std::vector<PeerSight>()>;

struct Left {
  std::vector<raft::NodeId> asked;
  absl::Duration took;
};

// Goes as a server does: looks every ten milliseconds, and tells the node what to do.
Left Leave(TestCluster& cluster, raft::NodeId self, const Sights& sights) {
  Left left;
  const absl::Duration begun = cluster.now();
  Handover handover(self, begun, kElection, kLimit);
  for (;;) {
    const Handover::Step step = handover.Next(cluster.raft(self), sights(), cluster.now());
    if (step.kind == Handover::Kind::kDone) break;
    if (step.kind == Handover::Kind::kTransfer) {
      left.asked.push_back(step.to);
      EXPECT_OK(cluster.node(self).TransferLeader(kTestGroup, step.to));
    }
    cluster.RunFor(kLook);
  }
  left.took = cluster.now() - begun;
  return left;
}

class HandoverTest : public ::testing::Test {
 protected:
  HandoverTest() {
    leader_ = cluster_.AwaitLeader();
    first_ = leader_ % 3 + 1;
    second_ = first_ % 3 + 1;
    EXPECT_OK(cluster_.Run(leader_, PutOf("k", "v")));
    cluster_.RunFor(absl::Milliseconds(500));  // all have it, and are heard from
  }
  Sights Always(std::vector<PeerSight> sights) {
    return [sights = std::move(sights)] { return sights; };
  }
  TestCluster cluster_{{.nodes = 3}};
  raft::NodeId leader_ = raft::kNoNode, first_ = raft::kNoNode, second_ = raft::kNoNode;
};

TEST_F(HandoverTest, TheOfficeGoesToWhoStays) {
  const Left left =
      Leave(cluster_, leader_, Always({{first_, true, true}, {second_, true, false}}));
  EXPECT_THAT(left.asked, ElementsAre(second_));
  EXPECT_LT(left.took, kElection);
  EXPECT_EQ(cluster_.AwaitLeader(), second_);
}

// The last two of three go at once: nobody can take the office, and nobody is waited for.
TEST_F(HandoverTest, WhereNobodyStaysNobodyIsWaitedFor) {
  cluster_.Crash(first_, base::sim::Loss::kKeepAll);
  const Left left =
      Leave(cluster_, leader_, Always({{first_, false, false}, {second_, true, true}}));
  EXPECT_THAT(left.asked, IsEmpty());
  EXPECT_EQ(left.took, absl::ZeroDuration());
}

// The protocol takes it for alive for an election timeout; its stream has ended.
TEST_F(HandoverTest, WhoHasJustDiedIsNotAsked) {
  cluster_.Crash(first_, base::sim::Loss::kKeepAll);
  const Left left =
      Leave(cluster_, leader_, Always({{first_, false, false}, {second_, true, false}}));
  EXPECT_THAT(left.asked, ElementsAre(second_));
  EXPECT_EQ(cluster_.AwaitLeader(), second_);
}

// Both were told to stop in the same moment: what it says comes after it was asked.
TEST_F(HandoverTest, WhoTurnsOutToGoIsNotWaitedFor) {
  cluster_.Isolate(first_, true);
  cluster_.Isolate(second_, true);
  const absl::Duration says = cluster_.now() + absl::Milliseconds(50);
  const Left left = Leave(cluster_, leader_, [&] {
    const bool leaves = cluster_.now() >= says;
    return std::vector<PeerSight>{{first_, true, leaves}, {second_, true, leaves}};
  });
  EXPECT_EQ(left.asked.size(), 1u);
  EXPECT_LT(left.took, kElection / 2);
}

TEST_F(HandoverTest, TheNextIsAskedWhenOneDoesNotTakeIt) {
  cluster_.filter = [this](raft::NodeId, raft::NodeId to, base::BytesView) { return to != first_; };
  const Left left = Leave(cluster_, leader_, [&] {
    const bool gone = cluster_.raft(leader_).transfer_to == first_;
    return std::vector<PeerSight>{{first_, !gone, false}, {second_, true, false}};
  });
  EXPECT_EQ(left.asked.back(), second_);
  EXPECT_LT(left.took, kLimit);
  EXPECT_EQ(cluster_.AwaitLeader(), second_);
}

TEST_F(HandoverTest, SilenceIsWaitedForWithinTheLimit) {
  cluster_.Isolate(first_, true);
  cluster_.Isolate(second_, true);
  const Left left =
      Leave(cluster_, leader_, Always({{first_, true, false}, {second_, true, false}}));
  EXPECT_LE(left.took, kLimit + kLook);
}

TEST_F(HandoverTest, WhoDoesNotLeadHasNothingToHandOver) {
  const Left left =
      Leave(cluster_, first_, Always({{leader_, true, false}, {second_, true, false}}));
  EXPECT_THAT(left.asked, IsEmpty());
  EXPECT_EQ(left.took, absl::ZeroDuration());
}

TEST(Successor, IsFoundWhileTheGroupSleeps) {
  raft::Status status;
  status.role = raft::Role::kLeader;
  status.peers = {{.id = 2, .match = 5, .active = false}, {.id = 3, .match = 6, .active = false}};
  const std::vector<PeerSight> peers = {{2, true, false}, {3, false, false}};
  EXPECT_EQ(BestSuccessor(status, 1, peers), raft::kNoNode);
  status.hibernating = true;
  EXPECT_EQ(BestSuccessor(status, 1, peers), 2u);
}

TEST(Quorum, IsOfThoseWhoStay) {
  raft::Status status;
  status.membership = Voters({1, 2, 3});
  EXPECT_TRUE(HasQuorum(status, 1, {{2, true, false}, {3, false, false}}));
  EXPECT_FALSE(HasQuorum(status, 1, {{2, true, true}, {3, false, false}}));
  status.membership.outgoing = {1, 4, 5};
  EXPECT_FALSE(HasQuorum(status, 1, {{2, true, false}, {3, true, false}}));
}

// ---- Sleep (E108) ----

TestCluster::Options Sleepy() {
  TestCluster::Options options;
  options.node.raft.hibernate_ticks = 20;
  return options;
}

bool Sleeps(TestCluster& cluster) {
  return cluster.raft(1).hibernating && cluster.raft(2).hibernating && cluster.raft(3).hibernating;
}

TEST(Hibernation, TheDeathOfTheLeadersNodeWakesWhatItLed) {
  TestCluster cluster(Sleepy());
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_TRUE(cluster.RunUntil([&] { return Sleeps(cluster); }));
  const uint64_t frames = cluster.frames();
  cluster.RunFor(absl::Minutes(1));
  EXPECT_EQ(cluster.frames(), frames);  // not a word
  cluster.Crash(leader, base::sim::Loss::kKeepAll);
  cluster.RunFor(absl::Minutes(1));
  EXPECT_EQ(cluster.Leader(), raft::kNoNode);  // nobody misses it
  const raft::NodeId other = leader % 3 + 1;
  cluster.node(other).OnPeerSilent(other % 3 + 1);
  cluster.RunFor(absl::Seconds(10));
  EXPECT_EQ(cluster.Leader(), raft::kNoNode);  // it was not that one's office
  cluster.node(other).OnPeerSilent(leader);
  EXPECT_TRUE(cluster.RunUntil([&] { return cluster.Leader() != raft::kNoNode; }, 4 * kElection));
}

// Said again and again, as the transport does: a leader that is there after all stays, and only the
// sleep is over.
TEST(Hibernation, AFalseAlarmCostsNoElection) {
  TestCluster cluster(Sleepy());
  const raft::NodeId leader = cluster.AwaitLeader();
  const raft::Term term = cluster.raft(leader).term;
  ASSERT_TRUE(cluster.RunUntil([&] { return Sleeps(cluster); }));
  for (int i = 0; i < 100; ++i) {
    cluster.node(leader % 3 + 1).OnPeerSilent(leader);
    cluster.RunFor(absl::Milliseconds(100));
  }
  EXPECT_EQ(cluster.AwaitLeader(), leader);
  EXPECT_EQ(cluster.raft(leader).term, term);
  EXPECT_TRUE(cluster.RunUntil([&] { return Sleeps(cluster); }));
}

// ---- Other times while it runs (E31) ----

TEST(NodeTimers, AreInForceFromNowOn) {
  TestCluster cluster({.nodes = 3});
  const raft::NodeId leader = cluster.AwaitLeader();
  EXPECT_THAT(cluster.node(leader).SetTimers({absl::Milliseconds(20), 5, 24, 0}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  for (raft::NodeId id = 1; id <= 3; ++id) {
    ASSERT_OK(cluster.node(id).SetTimers({absl::Milliseconds(4), 5, 50, 0}));  // 20 ms and 200 ms
  }
  cluster.RunFor(absl::Seconds(5));
  ASSERT_EQ(cluster.Leader(), leader);
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  cluster.Crash(leader, base::sim::Loss::kKeepAll);
  // Twice 200 ms at most until somebody stands, and once more where two did: not the 1 s from
  // before.
  EXPECT_TRUE(
      cluster.RunUntil([&] { return cluster.Leader() != raft::kNoNode; }, absl::Milliseconds(900)));
  EXPECT_EQ(cluster.Get(cluster.AwaitLeader(), "k"), "v");
}

}  // namespace
}  // namespace slipway::eraft
