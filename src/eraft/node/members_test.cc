// Who a group's first members are: told once, stored before anything else is, and believed for ever
// (E123, E170). And for whose eyes a node's files are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/os/files.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/node/group_store.h"
#include "eraft/node/scripted_node.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/rocksdb_engine.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::sim::Loss;
using ::slipway::base::testing::StatusIs;

bool Overruled(TestCluster& cluster, raft::NodeId id) {
  return cluster.node(id).GetStatus(kTestGroup)->members_overruled;
}

// Two of five are cut off and started with a list of just them: a majority of that list, and none
// of the group.
TEST(NodeMembers, ARestartWithAnotherListMakesNoSecondMajority) {  // E170
  TestCluster cluster({.nodes = 5});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_NE(leader, raft::kNoNode);
  ASSERT_OK(cluster.Run(leader, PutOf("k", "first")));
  for (const raft::NodeId id : {1, 2}) {
    cluster.Crash(id, Loss::kLoseAllUnsynced);
    cluster.Tell(id, Voters({1, 2}));
    for (const raft::NodeId other : {3, 4, 5}) {
      cluster.Cut(id, other, true);
      cluster.Cut(other, id, true);
    }
    ASSERT_NO_FATAL_FAILURE(cluster.Start(id));
  }
  const bool led = cluster.RunUntil(
      [&] {
        return cluster.raft(1).role == raft::Role::kLeader ||
               cluster.raft(2).role == raft::Role::kLeader;
      },
      absl::Seconds(20));
  EXPECT_FALSE(led);
  for (const raft::NodeId id : {1, 2}) {
    EXPECT_EQ(cluster.raft(id).membership, Voters({1, 2, 3, 4, 5}));
    EXPECT_TRUE(Overruled(cluster, id));
    EXPECT_FALSE(Overruled(cluster, 3));
  }
  EXPECT_TRUE(cluster.RunSomewhere(PutOf("k", "second")));
  cluster.HealAll();
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.Get(1, "k"), "second");
}

// A node that waits to be let in does not make a group of its own because its flags changed.
TEST(NodeMembers, WhoJoinsBeginsNoGroupOfItsOwn) {  // E170
  TestCluster cluster({.nodes = 3});
  cluster.Add(4, {});
  const raft::NodeId leader = cluster.AwaitLeader();
  cluster.Crash(4, Loss::kLoseAllUnsynced);
  cluster.Tell(4, Voters({4}));
  ASSERT_NO_FATAL_FAILURE(cluster.Start(4));
  cluster.RunFor(absl::Seconds(10));
  EXPECT_EQ(cluster.raft(4).role, raft::Role::kFollower);
  EXPECT_EQ(cluster.raft(4).term, 0u);
  EXPECT_TRUE(Overruled(cluster, 4));
  ASSERT_OK(cluster.node(leader).ProposeMembership(kTestGroup, Voters({1, 2, 3, 4})));
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.LogicalState(4), cluster.LogicalState(leader));
}

// What is told is compared with the members of now: the first list is out of date after a change.
TEST(NodeMembers, ADifferenceIsTold) {  // E170
  TestCluster cluster({.nodes = 3});
  const raft::NodeId leader = cluster.AwaitLeader();
  cluster.Add(4, {});
  ASSERT_OK(cluster.node(leader).ProposeMembership(kTestGroup, Voters({1, 2, 3, 4})));
  ASSERT_TRUE(cluster.AwaitApplied());
  const auto restart = [&](raft::Membership members) {
    cluster.Crash(3, Loss::kLoseAllUnsynced);
    cluster.Tell(3, std::move(members));
    cluster.Start(3);
    return Overruled(cluster, 3);
  };
  EXPECT_TRUE(restart(Voters({1, 2, 3})));
  EXPECT_FALSE(restart(Voters({1, 2, 3, 4})));
  EXPECT_FALSE(restart({}));
}

// Wherever the power goes in the first start: afterwards one list counts, for good; and that of a
// start that succeeded is it.
TEST(NodeMembers, PowerLossInTheFirstStartLeavesOneList) {  // E170
  const raft::Membership first = Voters({1, 2, 3});
  const raft::Membership second = Voters({1, 2});
  int seconds = 0;
  bool reached = true;
  for (int n = 1; reached; ++n) {
    for (const Loss loss : {Loss::kLoseAllUnsynced, Loss::kKeepAll, Loss::kSeeded}) {
      const std::string what = absl::StrCat("operation ", n, ", loss ", static_cast<int>(loss));
      ScriptedNode node(1, first, TestCluster::Small());
      node.files().PowerLossAt(n);
      const absl::Status started = node.Start();
      reached = node.files().off();
      node.Crash(loss, static_cast<uint64_t>(n));
      node.Tell(second);
      ASSERT_OK(node.Start()) << what;
      const raft::Membership settled = node.Status().raft.membership;
      EXPECT_TRUE(settled == first || settled == second) << what;
      EXPECT_TRUE(!started.ok() || settled == first) << what;
      EXPECT_EQ(node.Status().members_overruled, settled == first) << what;
      seconds += settled == second ? 1 : 0;
      node.Crash(loss, static_cast<uint64_t>(n) + 1000);
      node.Tell(settled == first ? second : first);
      ASSERT_OK(node.Start()) << what;
      EXPECT_EQ(node.Status().raft.membership, settled) << what;
    }
  }
  EXPECT_GT(seconds, 0);  // before the first list was durable
}

// What is malformed is refused before anything is stored.
TEST(NodeMembers, AMalformedListIsNotKept) {
  ScriptedNode node(1, Voters({2, 1}), TestCluster::Small());
  EXPECT_THAT(node.Start(), StatusIs(absl::StatusCode::kInvalidArgument));
  node.Tell(Voters({1, 2}));
  ASSERT_OK(node.Start());
  EXPECT_EQ(node.Status().raft.membership, Voters({1, 2}));
}

// A disk that is full from the start: an error, and no wait for room that nobody makes.
TEST(NodeMembers, WithoutRoomTheFirstStartFailsAndTheNextSucceeds) {  // E167
  ScriptedNode node(1, Voters({1}), TestCluster::Small());
  node.files().SetCapacity(64 << 10);  // half a segment
  EXPECT_THAT(node.Start(), StatusIs(absl::StatusCode::kResourceExhausted));
  node.files().SetCapacity(0);
  ASSERT_OK(node.Start());
  node.RunFor(absl::Seconds(4));
  EXPECT_EQ(node.Status().raft.role, raft::Role::kLeader);
}

TEST(NodeMembers, AnIncarnationIsOfTheDataAndNotOfTheProcess) {  // E123
  TestCluster cluster({.nodes = 1});
  const uint64_t first = cluster.node(1).incarnation();
  EXPECT_NE(first, 0u);
  cluster.Crash(1, Loss::kLoseAllUnsynced);
  cluster.Start(1);
  EXPECT_EQ(cluster.node(1).incarnation(), first);
  cluster.Crash(1);
  cluster.Wipe(1, Voters({1}));
  cluster.Start(1);
  EXPECT_NE(cluster.node(1).incarnation(), first);
  EXPECT_NE(cluster.node(1).incarnation(), 0u);
}

// Node 1 acknowledged with node 3; node 2 has none of it. Then node 3 loses its disk and node 1 is
// away: what is left is a majority by number, and knows nothing of what was acknowledged.
TEST(NodeMembers, ANodeWithoutItsDataElectsNobody) {  // E123
  TestCluster cluster({.nodes = 3});
  ASSERT_NE(cluster.AwaitLeader(), raft::kNoNode);
  ASSERT_TRUE(cluster.MakeLeader(1));
  cluster.Isolate(2, true);
  ASSERT_OK(cluster.Run(1, PutOf("k", "acknowledged")));
  cluster.Crash(1, Loss::kLoseAllUnsynced);
  cluster.Crash(3);
  cluster.Wipe(3, Voters({1, 2, 3}));
  ASSERT_NO_FATAL_FAILURE(cluster.Start(3));
  cluster.node(3).SetFenced(true);  // as node 1 told it before
  cluster.Isolate(2, false);
  EXPECT_THAT(cluster.node(3).Campaign(kTestGroup),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  const bool led = cluster.RunUntil(
      [&] {
        return cluster.raft(2).role == raft::Role::kLeader ||
               cluster.raft(3).role == raft::Role::kLeader;
      },
      absl::Seconds(30));
  EXPECT_FALSE(led);
  EXPECT_EQ(cluster.raft(3).vote, raft::kNoNode);
  ASSERT_NO_FATAL_FAILURE(cluster.Start(1));
  EXPECT_TRUE(cluster.RunSomewhere(PutOf("after", "x")));
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.Get(2, "k"), "acknowledged");
  EXPECT_TRUE(cluster.node(3).GetStatus(kTestGroup)->fenced) << "it votes still in its log";
}

// Taken in anew it is as any other: without a vote by the log, or with the state of a snapshot.
TEST(NodeMembers, WhoIsTakenInAgainIsFencedNoMore) {  // E416
  TestCluster cluster({.nodes = 3});
  ASSERT_NE(cluster.AwaitLeader(), raft::kNoNode);
  ASSERT_TRUE(cluster.MakeLeader(1));
  cluster.Crash(3);
  cluster.Wipe(3, Voters({1, 2, 3}));
  ASSERT_NO_FATAL_FAILURE(cluster.Start(3));
  cluster.node(3).SetFenced(true);
  cluster.Isolate(3, true);
  ASSERT_OK(cluster.node(1).ProposeMembership(kTestGroup, Voters({1, 2})));
  ASSERT_OK(cluster.Run(1, PutOf("k", "v")));
  raft::Membership learning = Voters({1, 2});
  learning.learners = {3};
  ASSERT_OK(cluster.node(1).ProposeMembership(kTestGroup, learning));
  cluster.Isolate(3, false);
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_TRUE(cluster.RunUntil([&] { return !cluster.node(3).GetStatus(kTestGroup)->fenced; }));
  ASSERT_OK(cluster.node(1).ProposeMembership(kTestGroup, Voters({1, 2, 3})));
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_TRUE(cluster.MakeLeader(3));
  EXPECT_EQ(cluster.Get(3, "k"), "v");
}

void ExpectPrivate(base::Dir& dir, const std::string& path) {
  const auto cursor = dir.List();
  ASSERT_OK(cursor);
  for (;;) {
    const auto entry = (*cursor)->Next();
    ASSERT_OK(entry);
    if (!entry->has_value()) return;
    const std::string name = (*entry)->name;
    const auto meta = dir.Stat(name);
    ASSERT_OK(meta);
    const bool directory = meta->kind == base::FileKind::kDirectory;
    EXPECT_EQ(meta->mode & 07777, directory ? 0700u : 0600u) << path << "/" << name;
    if (!directory) continue;
    const auto inner = dir.OpenDir(name);
    ASSERT_OK(inner);
    ExpectPrivate(**inner, absl::StrCat(path, "/", name));
  }
}

TEST(NodeMembers, FilesAreForNobodyElse) {  // 6.5: modes 0700 and 0600
  ScriptedNode node(1, Voters({1}), KeepsNoLog());
  ASSERT_NO_FATAL_FAILURE(node.Lead());
  for (int i = 0; i < 5; ++i) node.Put(absl::StrCat(i));
  node.Compact();
  ExpectPrivate(node.dir(), "");
}

TEST(NodeMembers, AnEngineFindsItsFolderMade) {  // 6.5: RocksDB would make it for all to read
  const base::testing::TempDir temp;
  base::os::LinuxFiles files;
  const auto root = files.OpenRoot(temp.path());
  ASSERT_OK(root);
  ASSERT_OK(MakeEngineDir(**root));
  ASSERT_OK(MakeEngineDir(**root));  // it may be there
  const auto home = RocksDbHome(temp.path());
  const auto engine = home->Open(kEngineDir);
  ASSERT_OK(engine);
  EXPECT_EQ((*root)->Stat(kEngineDir)->mode & 07777, 0700u);
  EXPECT_OK((*engine)->Close());
}

}  // namespace
}  // namespace slipway::eraft
