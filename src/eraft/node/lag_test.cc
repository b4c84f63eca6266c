// A state machine that is slower than the log (E171): who leads refuses, who follows takes no more
// than it may keep, and both go on by themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/forwarding_engine.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::testing::StatusIs;

TestCluster::Options Small() {
  TestCluster::Options options;
  options.node.raft.append_bytes_max = 2048;
  options.node.raft.inflight_messages_max = 4;
  return options;
}

uint64_t UnappliedBytes(TestCluster& cluster, raft::NodeId id) {
  return cluster.node(id).GetStatus(kTestGroup)->unapplied_bytes;
}

// Writes through `leader`, one after the other, while the others do not apply.
std::string Fill(TestCluster& cluster, raft::NodeId leader, int count, size_t bytes) {
  std::string expected;
  for (int i = 0; i < count; ++i) {
    expected = absl::StrCat(i, std::string(bytes, 'x'));
    EXPECT_OK(cluster.Run(leader, PutOf("k", expected))) << i;
  }
  return expected;
}

class FullEngine : public ForwardingEngine {
 public:
  FullEngine(std::unique_ptr<Engine> engine, const bool& full)
      : ForwardingEngine(std::move(engine)), full_(full) {}
  absl::Status Write(const Batch& batch) override {
    return full_ ? absl::ResourceExhaustedError("no room") : ForwardingEngine::Write(batch);
  }

 private:
  const bool& full_;
};

class FullHome : public EngineHome {
 public:
  FullHome(std::unique_ptr<EngineHome> home, const bool& full)
      : home_(std::move(home)), full_(full) {}
  base::Owned<Engine> Open(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(auto engine, home_->Open(path));
    return std::make_unique<FullEngine>(std::move(engine), full_);
  }
  EngineKind kind() const override { return home_->kind(); }
  bool IsImmutable(absl::string_view name) const override { return home_->IsImmutable(name); }

 private:
  const std::unique_ptr<EngineHome> home_;
  const bool& full_;
};

// E167: entries wait in the log for room on the disk of the engine.
TEST(NodeLag, AFullDiskHoldsTheStateMachineAndIsNotItsEnd) {
  TestCluster::Options options;
  bool full = false;
  const bool never = false;
  int homes = 0;
  options.make_home = [&](base::Dir& dir) -> std::unique_ptr<EngineHome> {
    return std::make_unique<FullHome>(MemoryHome(&dir), ++homes == 3 ? full : never);
  };
  TestCluster cluster(options);
  ASSERT_TRUE(cluster.MakeLeader(1));
  ASSERT_OK(cluster.Run(1, PutOf("k", "before")));
  ASSERT_TRUE(cluster.AwaitApplied());
  const raft::Index applied = cluster.kv(3).applied;
  full = true;
  for (int i = 0; i < 20; ++i) ASSERT_OK(cluster.Run(1, AppendOf("k", absl::StrCat(i))));
  cluster.RunFor(absl::Seconds(5));
  EXPECT_OK(cluster.fatal(3));
  EXPECT_EQ(cluster.kv(3).applied, applied);
  EXPECT_EQ(cluster.raft(3).commit, cluster.raft(1).commit);
  full = false;
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(1));
}

TEST(NodeLag, ALeaderThatDoesNotKeepUpRefuses) {  // E171
  TestCluster::Options options = Small();
  options.node.apply_lag_max = 20;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  cluster.StallEngine(leader, true);
  std::vector<std::shared_ptr<TestCluster::Reply>> replies;
  for (int i = 0; i < 40; ++i) {
    replies.push_back(cluster.Propose(leader, PutOf("k", absl::StrCat(i)), absl::Hours(1)));
    cluster.RunFor(absl::Milliseconds(100));
  }
  for (size_t i = 0; i < replies.size(); ++i) {
    ASSERT_EQ(replies[i]->done, i > 20) << i;  // committed, with no outcome yet; or refused
    if (i <= 20) continue;
    EXPECT_THAT(replies[i]->outcome, StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(FateOf(replies[i]->outcome.status()), Fate::kNotExecuted);
  }
  EXPECT_EQ(cluster.Leader(), leader);
  cluster.StallEngine(leader, false);
  ASSERT_TRUE(cluster.RunUntil([&] { return replies[20]->done; }));
  for (size_t i = 0; i <= 20; ++i) EXPECT_OK(replies[i]->outcome);
  EXPECT_OK(cluster.Run(leader, PutOf("k", "again")));
}

TEST(NodeLag, ALeaderCountsBytesToo) {  // E171
  TestCluster::Options options = Small();
  options.node.unapplied_bytes_max = 10'000;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  cluster.StallEngine(leader, true);
  int refused = 0;
  for (int i = 0; i < 40; ++i) {
    const auto reply = cluster.Propose(leader, PutOf("k", std::string(1000, 'x')), absl::Hours(1));
    cluster.RunFor(absl::Milliseconds(100));
    refused += reply->done ? 1 : 0;
  }
  EXPECT_GE(refused, 29);
  EXPECT_LT(UnappliedBytes(cluster, leader), 12'000u);
  cluster.StallEngine(leader, false);
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_TRUE(cluster.RunUntil([&] { return UnappliedBytes(cluster, leader) == 0; }));
  EXPECT_OK(cluster.Run(leader, PutOf("k", "again")));
}

TEST(NodeLag, AFollowerTakesNoMoreEntriesThanItMayKeep) {  // E171
  TestCluster::Options options = Small();
  options.node.unapplied_entries_max = 50;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  const raft::NodeId slow = leader % 3 + 1;
  ASSERT_TRUE(cluster.AwaitApplied());
  const raft::Term term = cluster.raft(leader).term;
  cluster.StallEngine(slow, true);
  const std::string expected = Fill(cluster, leader, 400, 10);
  const raft::Status held = cluster.raft(slow);
  EXPECT_GT(held.commit, held.applied + 50);
  EXPECT_LT(held.last, held.applied + 80);  // and what was under way
  EXPECT_GT(cluster.raft(leader).last, held.last + 200);
  cluster.StallEngine(slow, false);
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.Get(slow, "k"), expected);
  EXPECT_EQ(cluster.raft(leader).term, term);  // it was heard all the time
  EXPECT_EQ(cluster.LogicalState(slow), cluster.LogicalState(leader));
}

TEST(NodeLag, AFollowerTakesNoMoreBytesThanItMayKeep) {  // E171
  TestCluster::Options options = Small();
  options.node.unapplied_bytes_max = 20'000;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  const raft::NodeId slow = leader % 3 + 1;
  ASSERT_TRUE(cluster.AwaitApplied());
  cluster.StallEngine(slow, true);
  Fill(cluster, leader, 100, 1000);
  const uint64_t held = UnappliedBytes(cluster, slow);
  EXPECT_GT(held, 20'000u);
  EXPECT_LT(held, 20'000u + 4 * 2048 + 2048);
  cluster.StallEngine(slow, false);
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_TRUE(cluster.RunUntil([&] { return UnappliedBytes(cluster, slow) == 0; }));
}

// Where a majority is slow the group is, and it stands still for good at no bound: neither with a
// leader that stays nor with one whose entries nobody knows to be committed.
TEST(NodeLag, AGroupOfSlowFollowersGoesOn) {  // E171
  TestCluster::Options options = Small();
  options.node.unapplied_entries_max = 5;
  TestCluster cluster(options);
  std::vector<std::shared_ptr<TestCluster::Reply>> replies;
  for (int round = 0; round < 3; ++round) {
    const raft::NodeId leader = cluster.AwaitLeader();
    ASSERT_NE(leader, raft::kNoNode);
    for (const raft::NodeId id : {1, 2, 3}) cluster.StallEngine(id, id != leader);
    for (int i = 0; i < 100; ++i) {
      replies.push_back(
          cluster.Propose(leader, PutOf("k", absl::StrCat(round, " ", i)), absl::Hours(1)));
      if (i % 10 == 0) cluster.RunFor(absl::Milliseconds(20));
    }
    cluster.Crash(leader);
    cluster.RunFor(absl::Seconds(3));
    cluster.HealAll();
    cluster.Start(leader);
    ASSERT_TRUE(cluster.AwaitApplied());
  }
  EXPECT_TRUE(
      std::all_of(replies.begin(), replies.end(), [](const auto& reply) { return reply->done; }));
}

}  // namespace
}  // namespace slipway::eraft
