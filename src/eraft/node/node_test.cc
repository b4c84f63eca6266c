// The life of a cluster: electing, proposing, restarting, losing power (E65, E68, E114, E172).
#include "eraft/node/node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/sim/clock.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::sim::Loss;
using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

class Nowhere : public base::Transport {
 public:
  absl::Status Send(uint64_t /*peer*/, base::FrameClass /*frame_class*/,
                    base::Bytes /*frame*/) override {
    return absl::OkStatus();
  }
  void Receive(absl::AnyInvocable<void(uint64_t, base::Bytes)> /*receiver*/) override {}
};

TEST(NodeCluster, ElectsProposesAndReads) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_NE(leader, raft::kNoNode);
  const auto outcome = cluster.Run(leader, PutOf("k", "v"));
  ASSERT_OK(outcome);
  EXPECT_EQ(outcome->answer.code, AnswerCode::kOk);
  for (raft::NodeId id = 1; id <= 3; ++id) EXPECT_EQ(cluster.Get(id, "k"), "v") << id;
  EXPECT_EQ(cluster.Get(leader, "absent"), "-");
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.LogicalState(1), cluster.LogicalState(2));
  EXPECT_EQ(cluster.LogicalState(1), cluster.LogicalState(3));
}

TEST(NodeCluster, OneNodeAloneWorks) {
  TestCluster cluster({.nodes = 1});
  ASSERT_EQ(cluster.AwaitLeader(), 1u);
  for (int i = 0; i < 20; ++i) ASSERT_OK(cluster.Run(1, AppendOf("k", "x")));
  EXPECT_EQ(cluster.Get(1, "k"), std::string(20, 'x'));
  cluster.Crash(1, Loss::kLoseAllUnsynced);
  cluster.Start(1);
  ASSERT_EQ(cluster.AwaitLeader(), 1u);
  EXPECT_EQ(cluster.Get(1, "k"), std::string(20, 'x'));
}

TEST(NodeCluster, WhatAKilledLeaderAcknowledgedStays) {
  TestCluster cluster({});
  std::string expected;
  for (int round = 0; round < 4; ++round) {
    const raft::NodeId leader = cluster.AwaitLeader();
    ASSERT_NE(leader, raft::kNoNode);
    for (int i = 0; i < 5; ++i) {
      ASSERT_OK(cluster.Run(leader, AppendOf("k", absl::StrCat(round, i, " "))));
      absl::StrAppend(&expected, round, i, " ");
    }
    cluster.Crash(leader, Loss::kLoseAllUnsynced);
    const raft::NodeId next = cluster.AwaitLeader();
    ASSERT_NE(next, leader);
    EXPECT_EQ(cluster.Get(next, "k"), expected);
    cluster.Start(leader);
  }
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.LogicalState(1), cluster.LogicalState(2));
  EXPECT_EQ(cluster.LogicalState(1), cluster.LogicalState(3));
}

// E65, through the whole node: with a process that is killed and a machine that loses its power.
TEST(NodeCluster, RestartDoesNotReapply) {
  for (const Loss loss : {Loss::kKeepAll, Loss::kLoseAllUnsynced, Loss::kSeeded}) {
    TestCluster::Options options;
    options.node.snapshot_entries = 7;  // the engine is durable up to somewhere in between
    TestCluster cluster(options);
    std::string expected;
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 6; ++i) {
        ASSERT_OK(cluster.Run(cluster.AwaitLeader(), AppendOf("k", absl::StrCat(i))));
        absl::StrAppend(&expected, i);
      }
      for (raft::NodeId id = 1; id <= 3; ++id) cluster.Crash(id, loss);
      for (raft::NodeId id = 1; id <= 3; ++id) cluster.Start(id);
      ASSERT_EQ(cluster.Get(cluster.AwaitLeader(), "k"), expected);
    }
  }
}

// E68: a leader loses its office and gets it back; its place in the log has another's command.
TEST(NodeCluster, NoCrossedAnswers) {
  TestCluster cluster({});
  ASSERT_NE(cluster.AwaitLeader(), raft::kNoNode);
  ASSERT_TRUE(cluster.MakeLeader(1));
  ASSERT_OK(cluster.Run(1, PutOf("k", "first")));
  cluster.Isolate(1, true);
  const auto lost = cluster.Propose(1, PutOf("k", "lost"), absl::Hours(1));
  const auto elected = [&] {
    return cluster.Leader() != 1 && cluster.raft(1).role != raft::Role::kLeader;
  };
  ASSERT_TRUE(cluster.RunUntil(elected));
  // Entries of the others take the place.
  const raft::NodeId other = cluster.AwaitLeader();
  for (int i = 0; i < 3; ++i) ASSERT_OK(cluster.Run(other, PutOf("other", absl::StrCat(i))));
  cluster.Isolate(1, false);
  ASSERT_TRUE(cluster.AwaitApplied());
  ASSERT_TRUE(cluster.MakeLeader(1));
  ASSERT_OK(cluster.Run(1, PutOf("again", "")));
  ASSERT_EQ(lost->calls, 1);
  EXPECT_THAT(lost->outcome, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("leadership")));
  EXPECT_EQ(FateOf(lost->outcome.status()), Fate::kUnknown);
  EXPECT_EQ(cluster.Get(1, "k"), "first");
}

TEST(NodeCluster, AFollowerExecutesNothingAndSaysSo) {
  TestCluster cluster({});
  const raft::NodeId follower = cluster.AwaitLeader() % 3 + 1;
  const auto outcome = cluster.Run(follower, PutOf("k", "v"));
  EXPECT_THAT(outcome, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(FateOf(outcome.status()), Fate::kNotExecuted);  // E144
  EXPECT_EQ(cluster.Get(follower, "k"), "-");
}

TEST(NodeCluster, ACommandThatIsLateIsDroppedUnexecuted) {  // E172
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  const auto late = cluster.Propose(leader, PutOf("k", "late"), -absl::Seconds(1));
  ASSERT_TRUE(cluster.RunUntil([&] { return late->done; }));
  EXPECT_THAT(late->outcome, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(FateOf(late->outcome.status()), Fate::kNotExecuted);
  EXPECT_EQ(cluster.Get(leader, "k"), "-");
}

TEST(NodeCluster, WithoutAMajorityTheOutcomeIsUnknown) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  cluster.Isolate(leader, true);
  const auto reply = cluster.Propose(leader, PutOf("k", "v"), absl::Milliseconds(300));
  ASSERT_TRUE(cluster.RunUntil([&] { return reply->done; }));
  EXPECT_THAT(reply->outcome, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(FateOf(reply->outcome.status()), Fate::kUnknown);
}

TEST(NodeCluster, TooManyOrTooLargeIsRefused) {
  TestCluster::Options options;
  options.node.proposals_max = 4;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  std::vector<std::shared_ptr<TestCluster::Reply>> replies;
  for (int i = 0; i < 6; ++i) replies.push_back(cluster.Propose(leader, AppendOf("k", "x")));
  ASSERT_TRUE(cluster.RunUntil([&] {
    return std::all_of(replies.begin(), replies.end(), [](const auto& r) { return r->done; });
  }));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(replies[static_cast<size_t>(i)]->outcome.ok(), i < 4) << i;
  EXPECT_THAT(replies[5]->outcome, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(FateOf(replies[5]->outcome.status()), Fate::kNotExecuted);
  const auto large = cluster.Run(leader, PutOf("k", std::string(100'000, 'x')));
  EXPECT_THAT(large, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most")));
  EXPECT_EQ(cluster.Get(leader, "k"), "xxxx");
}

// E105: the bound holds for what came in one turn of the loop, too.
TEST(NodeCluster, MoreThanMayWaitToBeCommittedIsRefused) {
  TestCluster::Options options;
  options.node.raft.uncommitted_bytes_max = 10'000;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  std::vector<std::shared_ptr<TestCluster::Reply>> replies;
  for (int i = 0; i < 6; ++i) {
    replies.push_back(cluster.Propose(leader, PutOf("k", std::string(4000, 'x'))));
  }
  ASSERT_TRUE(cluster.RunUntil([&] {
    return std::all_of(replies.begin(), replies.end(), [](const auto& r) { return r->done; });
  }));
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(replies[i]->outcome.ok(), i < 2) << i;
  EXPECT_THAT(replies[2]->outcome, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(FateOf(replies[2]->outcome.status()), Fate::kNotExecuted);
  EXPECT_OK(cluster.Run(leader, PutOf("k", std::string(12'000, 'x'))));  // alone it always fits
}

// E114: a node whose log cannot be synced acknowledges nothing more, and the others go on.
TEST(NodeCluster, AFailedSyncEndsTheNodeAtOnce) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "before")));
  cluster.files(leader).FailAt(1, base::ErrnoError(EIO, "disk"), /*sticky=*/true);
  const auto reply = cluster.Propose(leader, PutOf("k", "during"));
  ASSERT_TRUE(cluster.RunUntil([&] { return reply->done; }));
  EXPECT_FALSE(reply->outcome.ok());
  EXPECT_EQ(FateOf(reply->outcome.status()), Fate::kUnknown);
  EXPECT_TRUE(cluster.node(leader).failed());
  EXPECT_THAT(cluster.fatal(leader), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(cluster.Run(leader, PutOf("k", "after")).ok());
  cluster.Crash(leader, Loss::kLoseAllUnsynced);
  EXPECT_TRUE(cluster.RunSomewhere(PutOf("k", "others")));
  cluster.Start(leader);
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.Get(leader, "k"), "others");
}

// E167: without room for a new segment it waits, refuses, and goes on by itself.
TEST(NodeCluster, WithoutRoomOnTheDiskTheNodeRefusesAndGoesOn) {
  TestCluster cluster({.nodes = 1});
  ASSERT_EQ(cluster.AwaitLeader(), 1u);
  cluster.files(1).SetCapacity(300'000);  // two segments, and no third
  absl::Status refused;
  int written = 0;
  for (int i = 0; i < 200 && FateOf(refused) == Fate::kUnknown; ++i) {
    const auto reply =
        cluster.Propose(1, PutOf("k", std::string(3000, 'x')), absl::Milliseconds(200));
    ASSERT_TRUE(cluster.RunUntil([&] { return reply->done; }));
    written += reply->outcome.ok() ? 1 : 0;
    refused = reply->outcome.status();
  }
  EXPECT_FALSE(refused.ok());
  EXPECT_LT(written, 100);  // the spare segment and the one in use
  EXPECT_FALSE(cluster.node(1).failed());
  cluster.files(1).SetCapacity(0);
  EXPECT_TRUE(cluster.RunSomewhere(PutOf("k", "room again")));
  EXPECT_EQ(cluster.Get(1, "k"), "room again");
}

// E109: a leader whose disk stands still gives its office away.
TEST(NodeCluster, AStalledDiskCostsTheOffice) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  cluster.Stall(leader, true);
  const auto reply = cluster.Propose(leader, PutOf("k", "stuck"), absl::Hours(1));
  ASSERT_TRUE(cluster.RunUntil([&] {
    const raft::NodeId now = cluster.Leader();
    return now != raft::kNoNode && now != leader &&
           cluster.raft(leader).role != raft::Role::kLeader;
  }));
  EXPECT_TRUE(cluster.RunSomewhere(PutOf("k", "new")));
  cluster.HealAll();
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.Get(leader, "k"), "new");
  EXPECT_EQ(FateOf(reply->outcome.status()), Fate::kUnknown);
}

TEST(NodeCluster, ADirectoryOfAnotherNodeIsRefused) {  // E11
  TestCluster cluster({.nodes = 1});
  ASSERT_EQ(cluster.AwaitLeader(), 1u);
  cluster.Crash(1, Loss::kKeepAll);
  base::sim::Files& files = cluster.files(1);
  const std::string before = files.Tree();
  base::sim::Clock clock;
  base::sim::Loop loop(1, clock);
  base::sim::Pool pool(1);
  base::sim::Random random(1);
  base::Metrics metrics;
  const auto dir = files.OpenRoot("/data").value();
  const auto home = MemoryHome(dir.get());
  Nowhere nowhere;
  NodeOptions options = TestCluster::Small();
  options.id = 2;
  options.cluster = {1, 2, 3};
  options.groups = {{.id = kTestGroup, .members = Voters({1})}};
  EXPECT_THAT(
      Node::Open({loop, clock, pool, pool, random, *dir, *home, nowhere, metrics}, options),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("node 1 of cluster 010203")));
  EXPECT_EQ(files.Tree(), before);
}

// E120: each with an engine of its own, since an install replaces its directory.
TEST(NodeCluster, TwoGroupsShareTheLogAndNothingElse) {
  base::sim::Files files(1);
  const auto dir = files.MakeRoot("/data").value();
  ASSERT_OK(dir->MakeDir("a"));
  ASSERT_OK(dir->MakeDir("b"));
  const auto dir_a = dir->OpenDir("a").value();
  const auto dir_b = dir->OpenDir("b").value();
  const auto home_a = MemoryHome(dir_a.get());
  const auto home_b = MemoryHome(dir_b.get());
  base::sim::Clock clock;
  base::sim::Loop loop(1, clock);
  base::sim::Pool pool(1);
  base::sim::Random random(1);
  base::Metrics metrics;
  Nowhere nowhere;
  NodeOptions options = TestCluster::Small();
  options.id = 1;
  options.groups = {{.id = 1, .members = Voters({1})}, {.id = 2, .members = Voters({1})}};
  const NodeWorld world = {loop, clock, pool, pool, random, *dir, *home_a, nowhere, metrics};
  EXPECT_THAT(Node::Open(world, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("share one engine")));
  options.groups[0].place = GroupPlace{dir_a.get(), home_a.get()};
  options.groups[1].place = GroupPlace{dir_b.get(), home_b.get()};
  const auto turn = [&](absl::Duration duration) {
    const absl::Duration end = clock.Monotonic() + duration;
    while (clock.Monotonic() < end) {
      if (!pool.RunOne() && !loop.RunOne()) loop.Step();
    }
  };
  for (int life = 1; life <= 2; ++life) {
    auto node = Node::Open(world, options);
    ASSERT_OK(node);
    turn(absl::Seconds(4));
    int outcomes = 0;
    for (const GroupId group : {1u, 2u}) {
      (*node)->Propose(group, EncodeCommand(AppendOf("k", absl::StrCat(group))),
                       absl::InfiniteDuration(), [&](absl::StatusOr<Outcome> outcome) {
                         EXPECT_OK(outcome);
                         ++outcomes;
                       });
    }
    turn(absl::Seconds(1));
    EXPECT_EQ(outcomes, 2);
    for (const GroupId group : {1u, 2u}) {
      EXPECT_THAT((*node)->machine(group)->Get(kTestShard, "k"),
                  IsOkAndHolds(absl::StrCat(group, life == 2 ? absl::StrCat(group) : "")));
    }
    EXPECT_OK((*node)->Stop());
  }
}

}  // namespace
}  // namespace slipway::eraft
