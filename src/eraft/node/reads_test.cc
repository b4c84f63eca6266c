// Reads without log entries, and their bounds (E76, E140-E142).
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/codec.h"
#include "eraft/node/test_cluster.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

ReadOptions Mode(TestCluster& cluster, ReadMode mode, absl::Duration limit = absl::Seconds(10)) {
  ReadOptions options;
  options.mode = mode;
  options.deadline = cluster.In(limit);
  return options;
}

// E76.
TEST(NodeReads, IdleClusterWritesNothing) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  cluster.RunFor(absl::Seconds(5));
  std::vector<int> before;
  for (raft::NodeId id = 1; id <= 3; ++id) before.push_back(cluster.files(id).operations());
  const raft::Index last = cluster.raft(leader).last;
  for (int i = 0; i < 60; ++i) {
    for (raft::NodeId id = 1; id <= 3; ++id) ASSERT_EQ(cluster.Get(id, "k"), "v");
    ASSERT_EQ(cluster.Get(leader, "k", ReadMode::kLease), "v");
    cluster.RunFor(absl::Seconds(1));
  }
  EXPECT_EQ(cluster.raft(leader).last, last);
  for (raft::NodeId id = 1; id <= 3; ++id) {
    EXPECT_EQ(cluster.files(id).operations(), before[id - 1]) << "node " << id << " wrote";
  }
}

// E140: reads that come while a round is under way share the next one.
TEST(NodeReads, ManyReadsCostFewRounds) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  const uint64_t rounds = cluster.raft(leader).round_sent;
  std::vector<std::shared_ptr<TestCluster::Value>> values;
  values.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    values.push_back(cluster.StartGet(leader, "k", Mode(cluster, ReadMode::kLinearizable)));
  }
  const auto all_done = [&] {
    return std::all_of(values.begin(), values.end(), [](const auto& value) { return value->done; });
  };
  ASSERT_TRUE(cluster.RunUntil(all_done, absl::Seconds(1)));
  for (const auto& value : values) ASSERT_TRUE(value->value.ok());
  EXPECT_LE(cluster.raft(leader).round_sent, rounds + 3);
}

TEST(NodeReads, ALeaderThatWasDeposedReadsNothing) {
  TestCluster cluster({});
  const raft::NodeId old = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(old, PutOf("k", "old")));
  cluster.Isolate(old, true);
  const auto stale =
      cluster.StartGet(old, "k", Mode(cluster, ReadMode::kLinearizable, absl::Seconds(20)));
  ASSERT_TRUE(cluster.RunUntil(
      [&] { return cluster.Leader() != old && cluster.Leader() != raft::kNoNode; }));
  ASSERT_TRUE(cluster.RunSomewhere(PutOf("k", "new")));
  cluster.RunFor(absl::Seconds(5));
  EXPECT_FALSE(stale->done);
  cluster.Isolate(old, false);
  ASSERT_TRUE(cluster.RunUntil([&] { return stale->done; }));
  ASSERT_OK(stale->value);
  EXPECT_EQ(**stale->value, "new");
}

TEST(NodeReads, WithoutALeaderAReadEndsAtItsDeadline) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  cluster.Isolate(leader, true);
  const auto value =
      cluster.StartGet(leader, "k", Mode(cluster, ReadMode::kLinearizable, absl::Seconds(2)));
  ASSERT_TRUE(cluster.RunUntil([&] { return value->done; }, absl::Seconds(3)));
  EXPECT_THAT(value->value, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(NodeReads, ALeaseAnswersWithoutAWord) {  // E141
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  cluster.RunFor(absl::Milliseconds(250));  // a round of heartbeats
  absl::Duration most;
  for (int i = 0; i < 200; ++i) {
    most = std::max(most, cluster.node(leader).GetStatus(kTestGroup)->lease_left);
    cluster.RunFor(absl::Milliseconds(1));
  }
  EXPECT_GT(most, absl::Milliseconds(790));
  EXPECT_LE(most, absl::Milliseconds(810));  // nine ticks of ten, less twice the drift
  const uint64_t rounds = cluster.raft(leader).round_sent;
  const absl::Duration before = cluster.now();
  EXPECT_EQ(cluster.Get(leader, "k", ReadMode::kLease), "v");
  EXPECT_EQ(cluster.now(), before);
  EXPECT_EQ(cluster.raft(leader).round_sent, rounds);
  // On a follower there is none: it asks.
  EXPECT_EQ(cluster.Get(leader % 3 + 1, "k", ReadMode::kLease), "v");
}

// E141: members may have other timers, as while an operator changes them on one after the other.
TEST(NodeReads, ALeaseRestsOnWhatTheOthersPromise) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  ASSERT_OK(cluster.node(leader).SetTimers({absl::Milliseconds(100), 1, 50, 0}));
  absl::Duration most;
  for (int i = 0; i < 200; ++i) {
    most = std::max(most, cluster.node(leader).GetStatus(kTestGroup)->lease_left);
    cluster.RunFor(absl::Milliseconds(5));
  }
  EXPECT_GT(most, absl::Milliseconds(700));
  EXPECT_LE(most, absl::Milliseconds(810));  // not those of 50 ticks
}

// E141: other timers from now on do not take back what was promised by those from before.
TEST(NodeReads, ShorterTimersBreakNoPromise) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  const auto left = [&] { return cluster.node(leader).GetStatus(kTestGroup)->lease_left; };
  ASSERT_TRUE(cluster.RunUntil([&] { return left() > absl::Milliseconds(780); }));
  cluster.Isolate(leader, true);
  for (raft::NodeId id = 1; id <= 3; ++id) {
    if (id == leader) continue;
    ASSERT_OK(cluster.node(id).SetTimers({absl::Milliseconds(20), 1, 5, 0}));
  }
  const raft::NodeId next = leader % 3 + 1;
  const auto other_leads = [&] {
    cluster.node(next).Campaign(kTestGroup).IgnoreError();
    cluster.RunFor(absl::Milliseconds(20));
    return cluster.Leader() != leader && cluster.Leader() != raft::kNoNode;
  };
  while (left() > absl::ZeroDuration()) {
    ASSERT_FALSE(other_leads() && left() > absl::ZeroDuration()) << left();
  }
  EXPECT_TRUE(cluster.RunUntil(other_leads, absl::Seconds(2)));
}

// E141: an answer that waited for its sync says the timers of when it leaves; what it answers came
// by others.
TEST(NodeReads, LongerTimersKeepWhatALateAnswerPromises) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  const Node::Timers longer = {absl::Milliseconds(500), 1, 10, 0};
  ASSERT_OK(cluster.node(leader).SetTimers(longer));
  const auto left = [&] { return cluster.node(leader).GetStatus(kTestGroup)->lease_left; };
  ASSERT_TRUE(cluster.RunUntil([&] { return left() > absl::Milliseconds(780); }));
  const raft::NodeId others[] = {leader % 3 + 1, (leader + 1) % 3 + 1};
  for (const raft::NodeId id : others) cluster.Stall(id, true);
  const auto put = cluster.Propose(leader, PutOf("k", "later"));
  cluster.RunFor(absl::Milliseconds(20));
  for (const raft::NodeId id : others) cluster.Cut(leader, id, true);
  cluster.RunFor(absl::Milliseconds(800));
  for (const raft::NodeId id : others) {
    ASSERT_OK(cluster.node(id).SetTimers(longer));
    cluster.Stall(id, false);
  }
  ASSERT_TRUE(cluster.RunUntil([&] { return left() > absl::Seconds(3); }, absl::Seconds(1)));
  const raft::NodeId next = others[0];
  while (left() > absl::ZeroDuration()) {
    cluster.node(next).Campaign(kTestGroup).IgnoreError();
    cluster.RunFor(absl::Milliseconds(20));
    ASSERT_NE(cluster.raft(next).role, raft::Role::kLeader) << left();
  }
}

// E141: measured from when the round was *sent*. Answers to it come late; when they come, the
// others may already be free to elect.
TEST(NodeReads, LeaseNeverOutlivesThePromiseItRestsOn) {
  TestCluster cluster({});
  ASSERT_NE(cluster.AwaitLeader(), raft::kNoNode);
  ASSERT_TRUE(cluster.MakeLeader(1));
  cluster.RunFor(absl::Seconds(3));
  // A new term, in which the office was not offered to anybody.
  for (raft::NodeId id = 2; id <= 3; ++id) cluster.Isolate(id, true);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.raft(1).role != raft::Role::kLeader; }));
  cluster.HealAll();
  ASSERT_TRUE(cluster.RunUntil([&] {
    cluster.node(1).Campaign(kTestGroup).IgnoreError();
    cluster.RunFor(absl::Milliseconds(200));
    return cluster.Leader() == 1;
  }));
  ASSERT_OK(cluster.Run(1, PutOf("k", "old")));
  cluster.RunFor(absl::Seconds(1));
  // The last round that the others hear; what they answer takes 900 ms.
  cluster.Delay(2, absl::Milliseconds(900));
  cluster.Delay(3, absl::Milliseconds(900));
  const uint64_t round = cluster.raft(1).round_sent;
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.raft(1).round_sent > round; }));
  cluster.RunFor(absl::Milliseconds(20));
  cluster.Cut(1, 2, true);
  cluster.Cut(1, 3, true);
  // After an election timeout node 2 takes over, and node 1 still gets the late answers.
  cluster.RunFor(absl::Milliseconds(990));
  cluster.Delay(2, absl::Milliseconds(1));
  cluster.Delay(3, absl::Milliseconds(1));
  cluster.Cut(2, 1, true);
  cluster.Cut(3, 1, true);
  ASSERT_TRUE(cluster.RunUntil(
      [&] {
        cluster.node(2).Campaign(kTestGroup).IgnoreError();
        cluster.RunFor(absl::Milliseconds(30));
        return cluster.raft(2).role == raft::Role::kLeader;
      },
      absl::Milliseconds(300)));
  ASSERT_OK(cluster.Run(2, PutOf("k", "new")));
  ASSERT_EQ(cluster.raft(1).role, raft::Role::kLeader);  // it does not know yet
  const auto value = cluster.StartGet(1, "k", Mode(cluster, ReadMode::kLease, absl::Seconds(1)));
  ASSERT_TRUE(cluster.RunUntil([&] { return value->done; }));
  EXPECT_THAT(value->value, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// E141: who has committed nothing in its term does not know what its predecessors did.
TEST(NodeReads, NoLeaseBeforeTheFirstCommitOfATerm) {
  TestCluster cluster({});
  const raft::NodeId first = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(first, PutOf("k", "v")));
  cluster.filter = [](raft::NodeId, raft::NodeId, base::BytesView bytes) {
    const auto frame = DecodeFrame(base::Bytes(bytes.begin(), bytes.end()));
    const auto* message = frame.ok() ? std::get_if<raft::Message>(&frame->body) : nullptr;
    return message == nullptr || message->kind != raft::MessageKind::kAppendReply;
  };
  cluster.Crash(first);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.Leader() != raft::kNoNode; }));
  const raft::NodeId next = cluster.Leader();
  cluster.RunFor(absl::Milliseconds(500));
  ASSERT_EQ(cluster.Leader(), next);
  ASSERT_GT(cluster.raft(next).round_confirmed, 0u);
  EXPECT_EQ(cluster.node(next).GetStatus(kTestGroup)->lease_left, absl::ZeroDuration());
  cluster.filter = nullptr;
  cluster.RunFor(absl::Milliseconds(500));
  EXPECT_GT(cluster.node(next).GetStatus(kTestGroup)->lease_left, absl::ZeroDuration());
}

// E141: given up before a transfer, since the vote it asks for heeds no lease.
TEST(NodeReads, ALeaseEndsBeforeATransfer) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  cluster.RunFor(absl::Milliseconds(300));
  ASSERT_GT(cluster.node(leader).GetStatus(kTestGroup)->lease_left, absl::ZeroDuration());
  ASSERT_OK(cluster.node(leader).TransferLeader(kTestGroup, leader % 3 + 1));
  EXPECT_EQ(cluster.node(leader).GetStatus(kTestGroup)->lease_left, absl::ZeroDuration());
}

// E141: who promised a leader to elect nobody for a while does not elect itself either, though it
// is told to campaign.
TEST(NodeReads, ACampaignBreaksNoLease) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  const raft::NodeId promised = leader % 3 + 1, away = promised % 3 + 1;
  cluster.Isolate(away, true);
  ASSERT_OK(cluster.Run(leader, PutOf("k", "old")));
  cluster.RunFor(absl::Seconds(5));  // who is away is free to elect
  cluster.HealAll();
  cluster.Isolate(leader, true);
  const auto elected = [&] {
    const absl::Status begun = cluster.node(promised).Campaign(kTestGroup);
    EXPECT_TRUE(begun.ok() || absl::IsFailedPrecondition(begun)) << begun;
    cluster.RunFor(absl::Milliseconds(20));
    return cluster.raft(promised).role == raft::Role::kLeader;
  };
  ASSERT_TRUE(cluster.RunUntil(elected, absl::Seconds(5)));
  ASSERT_OK(cluster.Run(promised, PutOf("k", "new")));
  const auto value =
      cluster.StartGet(leader, "k", Mode(cluster, ReadMode::kLease, absl::Seconds(1)));
  ASSERT_TRUE(cluster.RunUntil([&] { return value->done; }));
  EXPECT_THAT(value->value, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(NodeReads, AStaleFollowerRefusesABoundedRead) {  // E142
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  const raft::NodeId follower = leader % 3 + 1;
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  ASSERT_TRUE(cluster.AwaitApplied());
  cluster.RunFor(absl::Seconds(1));
  ReadOptions bounded = Mode(cluster, ReadMode::kSerializable, absl::Hours(1));
  bounded.staleness_max = absl::Milliseconds(500);
  for (const raft::NodeId id : {leader, follower}) {
    const auto fresh = cluster.StartGet(id, "k", bounded);
    ASSERT_TRUE(cluster.RunUntil([&] { return fresh->done; }));
    ASSERT_OK(fresh->value) << id;
    EXPECT_EQ(**fresh->value, "v");
  }
  cluster.Isolate(follower, true);
  cluster.RunFor(absl::Seconds(1));
  const auto stale = cluster.StartGet(follower, "k", bounded);
  ASSERT_TRUE(cluster.RunUntil([&] { return stale->done; }));
  EXPECT_THAT(stale->value, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("500ms")));
  // Without a bound it says what it has.
  EXPECT_EQ(cluster.Get(follower, "k", ReadMode::kSerializable), "v");
}

// Else a call would stay open, and a server that stops would wait for it for ever (E195).
TEST(NodeReads, AReadThatWasBegunIsAnsweredWhenTheNodeStops) {
  for (const bool orderly : {true, false}) {
    TestCluster cluster({});
    const raft::NodeId leader = cluster.AwaitLeader();
    ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
    ASSERT_TRUE(cluster.AwaitApplied());
    cluster.StallEngine(leader, true);  // the job waits in the pool
    const auto value = cluster.StartGet(leader, "k", Mode(cluster, ReadMode::kSerializable));
    cluster.RunFor(absl::Milliseconds(50));
    EXPECT_FALSE(value->done);
    if (orderly) {
      ASSERT_OK(cluster.node(leader).Stop());
    } else {
      cluster.Crash(leader);
    }
    ASSERT_TRUE(cluster.RunUntil([&] { return value->done; }, absl::Seconds(1))) << orderly;
    EXPECT_THAT(value->value, StatusIs(absl::StatusCode::kUnavailable));
  }
}

TEST(NodeReads, ANodeReadsWhatItWasAskedForAfterItsLeaderChanged) {
  TestCluster cluster({});
  const raft::NodeId first = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(first, PutOf("k", "v")));
  cluster.Crash(first);
  const raft::NodeId asked = first % 3 + 1;
  // No leader is there yet: asked again until there is one.
  EXPECT_EQ(cluster.Get(asked, "k"), "v");
}

}  // namespace
}  // namespace slipway::eraft
