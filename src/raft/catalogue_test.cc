// The Raft part of the reference's test catalogue (E62), in the same order, over the little world
// of test_cluster.h, which checks the promises of Raft after every event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "raft/test_cluster.h"

namespace slipway::raft::testing {
namespace {

constexpr int kElection = 40;  // units: the longest election timeout, ten ticks doubled

ClusterOptions Reliable(int nodes, uint64_t seed = 1) {
  ClusterOptions options;
  options.nodes = nodes;
  options.seed = seed;
  return options;
}

ClusterOptions Unreliable(int nodes, uint64_t seed = 1) {
  ClusterOptions options = Reliable(nodes, seed);
  options.drop_percent = 10;
  options.duplicate_percent = 5;
  options.late_percent = 10;
  return options;
}

NodeId Other(const TestCluster& cluster, NodeId than, int nth = 0) {
  for (const NodeId id : cluster.ids()) {
    if (id != than && nth-- == 0) return id;
  }
  return kNoNode;
}

#define EXPECT_HELD(cluster) EXPECT_EQ((cluster).violation(), "")

TEST(Catalogue, InitialElection) {
  TestCluster cluster(Reliable(3));
  const NodeId leader = cluster.AwaitLeader();
  ASSERT_NE(leader, kNoNode);
  ASSERT_TRUE(cluster.Run(10 * kElection));
  EXPECT_EQ(cluster.Leader(), leader) << "a healthy group keeps its leader";
  for (const NodeId id : cluster.ids()) EXPECT_EQ(cluster.raft(id).term(), Term{1});
}

TEST(Catalogue, ReElection) {
  TestCluster cluster(Reliable(3));
  const NodeId first = cluster.AwaitLeader();
  cluster.Connect(first, false);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.Leader() != first; }));
  const NodeId second = cluster.Leader();
  cluster.Connect(first, true);
  ASSERT_TRUE(cluster.Run(2 * kElection));
  EXPECT_EQ(cluster.Leader(), second) << "the old leader does not disturb the new one";
  EXPECT_EQ(cluster.raft(first).role(), Role::kFollower);

  cluster.Connect(second, false);
  cluster.Connect(Other(cluster, second), false);
  ASSERT_TRUE(cluster.Run(10 * kElection));
  EXPECT_EQ(cluster.Leader(), kNoNode) << "no majority, no leader";
  cluster.HealAll();
  EXPECT_NE(cluster.AwaitLeader(), kNoNode);
  EXPECT_HELD(cluster);
}

TEST(Catalogue, ManyElectionsOfSeven) {
  TestCluster cluster(Reliable(7));
  cluster.AwaitLeader();
  for (int round = 0; round < 10; ++round) {
    std::set<NodeId> away;
    while (away.size() < 3) away.insert(1 + cluster.Random(7));
    for (const NodeId id : away) cluster.Connect(id, false);
    ASSERT_TRUE(cluster.RunUntil([&] {
      const NodeId leader = cluster.Leader();
      return leader != kNoNode && !away.contains(leader);
    }));
    cluster.HealAll();
    ASSERT_TRUE(cluster.Run(kElection));
  }
  EXPECT_HELD(cluster);
}

TEST(Catalogue, BasicAgreement) {
  TestCluster cluster(Reliable(5));
  Index last = 0;
  for (int i = 0; i < 3; ++i) {
    const Index index = cluster.Agree(absl::StrCat("command ", i), 5);
    EXPECT_GT(index, last);
    last = index;
  }
  EXPECT_EQ(last, Index{4}) << "the no-op of the term and three commands";
}

TEST(Catalogue, EachCommandTravelsToEachPeerOnce) {
  TestCluster cluster(Reliable(3));
  ASSERT_GT(cluster.Agree("first", 3), Index{0});
  const uint64_t before = cluster.payload_bytes();
  uint64_t sent = 0;
  for (int i = 0; i < 10; ++i) {
    const std::string command(5000, 'x');
    sent += command.size();
    ASSERT_GT(cluster.Agree(command, 3), Index{0});
  }
  EXPECT_EQ(cluster.payload_bytes() - before, 2 * sent);
}

TEST(Catalogue, AgreementWithAFollowerAway) {
  TestCluster cluster(Reliable(3));
  ASSERT_GT(cluster.Agree("all", 3), Index{0});
  const NodeId away = Other(cluster, cluster.Leader());
  cluster.Connect(away, false);
  for (int i = 0; i < 5; ++i) ASSERT_GT(cluster.Agree(absl::StrCat("two ", i), 2), Index{0});
  ASSERT_TRUE(cluster.Run(5 * kElection));
  const Term term = cluster.raft(cluster.Leader()).term();
  cluster.Connect(away, true);
  ASSERT_GT(cluster.Agree("again all", 3), Index{0});
  EXPECT_EQ(cluster.raft(away).term(), term) << "its return raised no term (E102)";
  EXPECT_HELD(cluster);
}

TEST(Catalogue, NoAgreementWithoutAMajority) {
  TestCluster cluster(Reliable(5));
  ASSERT_GT(cluster.Agree("all", 5), Index{0});
  const NodeId leader = cluster.Leader();
  for (int i = 0; i < 3; ++i) cluster.Connect(Other(cluster, leader, i), false);
  const absl::StatusOr<Raft::Place> place = cluster.Propose(leader, "lonely");
  ASSERT_OK(place.status());
  ASSERT_TRUE(cluster.Run(5 * kElection));
  EXPECT_EQ(cluster.AppliedBy(place->index), 0);
  cluster.HealAll();
  EXPECT_GT(cluster.Agree("together", 5), Index{0});
  EXPECT_HELD(cluster);
}

TEST(Catalogue, ConcurrentProposals) {
  TestCluster cluster(Reliable(3));
  const NodeId leader = cluster.AwaitLeader();
  std::set<Index> places;
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<Raft::Place> place = cluster.Propose(leader, absl::StrCat(i));
    ASSERT_OK(place.status());
    places.insert(place->index);
  }
  EXPECT_EQ(places.size(), 20U);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.AppliedBy(*places.rbegin()) == 3; }));
  EXPECT_HELD(cluster);
}

TEST(Catalogue, RejoinOfAPartitionedLeader) {
  TestCluster cluster(Reliable(3));
  ASSERT_GT(cluster.Agree("101", 3), Index{0});
  const NodeId first = cluster.Leader();
  cluster.Connect(first, false);
  for (const char* command : {"102", "103", "104"}) {
    EXPECT_OK(cluster.Propose(first, command).status());
  }
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.Leader() != first; }));
  ASSERT_GT(cluster.Agree("103 of the new", 2), Index{0});
  const NodeId second = cluster.Leader();
  cluster.Connect(second, false);
  cluster.Connect(first, true);
  cluster.Connect(first, second, false);
  ASSERT_GT(cluster.Agree("104 of the third", 2), Index{0});
  cluster.HealAll();
  ASSERT_GT(cluster.Agree("105", 3), Index{0});
  EXPECT_HELD(cluster);
}

// E59: fifty entries of another term are stepped over in a message or two, not fifty.
TEST(Catalogue, FastBackup) {
  TestCluster cluster(Reliable(5));
  ASSERT_GT(cluster.Agree("start", 5), Index{0});
  for (int round = 0; round < 6; ++round) {
    const NodeId leader = cluster.AwaitLeader();
    ASSERT_NE(leader, kNoNode);
    const NodeId with = Other(cluster, leader);
    for (const NodeId id : cluster.ids()) {
      if (id == leader || id == with) continue;
      cluster.Connect(leader, id, false);
      cluster.Connect(with, id, false);
    }
    for (int i = 0; i < 50; ++i) EXPECT_OK(cluster.Propose(leader, absl::StrCat("lost", i)));
    const auto others_lead = [&] {
      const NodeId now = cluster.Leader();
      return now != kNoNode && now != leader && now != with;
    };
    ASSERT_TRUE(cluster.RunUntil(others_lead));
    for (int i = 0; i < 50; ++i) {
      EXPECT_OK(cluster.Propose(cluster.Leader(), absl::StrCat("kept", i)));
    }
    ASSERT_GT(cluster.Agree(absl::StrCat("majority ", round), 3), Index{0});
    cluster.HealAll();
    const uint64_t before = cluster.messages();
    ASSERT_GT(cluster.Agree(absl::StrCat("all ", round), 5), Index{0});
    EXPECT_LT(cluster.messages() - before, 200U);
  }
  EXPECT_HELD(cluster);
}

TEST(Catalogue, MessageCountsAreLimited) {
  TestCluster cluster(Reliable(3));
  cluster.AwaitLeader();
  EXPECT_LE(cluster.messages(), 40U) << "an election";
  ASSERT_GT(cluster.Agree("first", 3), Index{0});
  ASSERT_TRUE(cluster.Run(10));
  uint64_t before = cluster.messages();
  Index last = 0;
  for (int i = 0; i < 10; ++i) last = cluster.Propose(cluster.Leader(), absl::StrCat(i))->index;
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.AppliedBy(last) == 3; }));
  EXPECT_LE(cluster.messages() - before, 100U) << "ten agreements, each alone, both ways";
  before = cluster.messages();
  ASSERT_TRUE(cluster.Run(200));
  EXPECT_LE(cluster.messages() - before, 100U * 4) << "idle: one heartbeat a tick and peer";
}

TEST(Catalogue, Persistence1) {
  TestCluster cluster(Reliable(3));
  ASSERT_GT(cluster.Agree("11", 3), Index{0});
  for (const NodeId id : cluster.ids()) cluster.Crash(id);
  for (const NodeId id : cluster.ids()) cluster.Restart(id);
  ASSERT_GT(cluster.Agree("12", 3), Index{0});
  const NodeId leader = cluster.Leader();
  cluster.Crash(leader);
  cluster.Restart(leader);
  ASSERT_GT(cluster.Agree("13", 3), Index{0});
  const NodeId second = cluster.AwaitLeader();
  cluster.Crash(second);
  ASSERT_GT(cluster.Agree("14", 2), Index{0});
  cluster.Restart(second);
  const NodeId follower = Other(cluster, cluster.AwaitLeader());
  cluster.Crash(follower);
  ASSERT_GT(cluster.Agree("15", 2), Index{0});
  cluster.Restart(follower);
  ASSERT_GT(cluster.Agree("16", 3), Index{0});
  EXPECT_HELD(cluster);
}

TEST(Catalogue, Persistence2) {
  TestCluster cluster(Reliable(5));
  for (int round = 0; round < 5; ++round) {
    ASSERT_GT(cluster.Agree(absl::StrCat("all ", round), 5), Index{0});
    const NodeId leader = cluster.Leader();
    const NodeId a = Other(cluster, leader, 0);
    const NodeId b = Other(cluster, leader, 1);
    cluster.Crash(a);
    cluster.Crash(b);
    ASSERT_GT(cluster.Agree(absl::StrCat("three ", round), 3), Index{0});
    cluster.Crash(leader);
    cluster.Crash(Other(cluster, leader, 2));
    cluster.Crash(Other(cluster, leader, 3));
    cluster.Restart(a);
    cluster.Restart(b);
    ASSERT_TRUE(cluster.Run(kElection));
    cluster.Restart(Other(cluster, leader, 2));
    ASSERT_GT(cluster.Agree(absl::StrCat("other three ", round), 3), Index{0});
    cluster.Restart(leader);
    cluster.Restart(Other(cluster, leader, 3));
  }
  EXPECT_HELD(cluster);
}

TEST(Catalogue, Persistence3) {
  TestCluster cluster(Reliable(3));
  ASSERT_GT(cluster.Agree("101", 3), Index{0});
  const NodeId leader = cluster.Leader();
  const NodeId apart = Other(cluster, leader, 1);
  cluster.Connect(apart, false);
  ASSERT_GT(cluster.Agree("102", 2), Index{0});
  cluster.Crash(leader);
  cluster.Crash(Other(cluster, leader, 0));
  cluster.Connect(apart, true);
  cluster.Restart(leader);
  ASSERT_GT(cluster.Agree("103", 2), Index{0});
  cluster.Restart(Other(cluster, leader, 0));
  ASSERT_GT(cluster.Agree("104", 3), Index{0});
  EXPECT_HELD(cluster);
}

// Paper, figure 8: leaders come and go so fast that entries of many terms lie uncommitted.
void Figure8(ClusterOptions options, int rounds) {
  TestCluster cluster(options);
  cluster.AwaitLeader();
  for (int round = 0; round < rounds && cluster.violation().empty(); ++round) {
    const NodeId leader = cluster.Leader();
    if (leader != kNoNode) {
      EXPECT_OK(cluster.Propose(leader, absl::StrCat("round ", round)));
      cluster.Run(static_cast<int>(cluster.Random(cluster.Random(10) == 0 ? kElection : 4)));
      cluster.Crash(leader);
    } else {
      cluster.Run(5);
    }
    int running = 0;
    for (const NodeId id : cluster.ids()) running += cluster.up(id) ? 1 : 0;
    for (const NodeId id : cluster.ids()) {
      if (running < 3 && !cluster.up(id)) {
        cluster.Restart(id);
        ++running;
      }
    }
  }
  for (const NodeId id : cluster.ids()) cluster.Restart(id);
  EXPECT_GT(cluster.Agree("at last", options.nodes, 20000), Index{0});
  EXPECT_HELD(cluster);
}

TEST(Catalogue, Figure8Reliable) { Figure8(Reliable(5), 1000); }

TEST(Catalogue, Figure8Unreliable) { Figure8(Unreliable(5), 1000); }

TEST(Catalogue, UnreliableAgreement) {
  TestCluster cluster(Unreliable(5));
  for (int i = 0; i < 50; ++i) {
    const NodeId leader = cluster.Leader();
    for (int j = 0; leader != kNoNode && j < 4; ++j) {
      (void)cluster.Propose(leader, absl::StrCat("beside ", i, " ", j));
    }
    ASSERT_GT(cluster.Agree(absl::StrCat("asked ", i), 1), Index{0}) << cluster.violation();
  }
  cluster.options().drop_percent = 0;
  EXPECT_GT(cluster.Agree("all", 5), Index{0});
  EXPECT_HELD(cluster);
}

void Churn(ClusterOptions options) {
  TestCluster cluster(options);
  std::set<Index> promised;
  for (int round = 0; round < 200 && cluster.violation().empty(); ++round) {
    const NodeId any = 1 + cluster.Random(5);
    if (cluster.Random(5) == 0) cluster.Connect(any, false);
    if (cluster.Random(2) == 0) cluster.Restart(any);
    if (cluster.Random(5) == 0) cluster.Connect(any, true);
    if (cluster.Random(5) == 0) cluster.Crash(any);
    for (const NodeId id : cluster.ids()) {
      if (cluster.up(id)) (void)cluster.Propose(id, absl::StrCat("round ", round));
      if (cluster.up(id) && cluster.Random(3) == 0) cluster.Read(id);
    }
    cluster.Run(static_cast<int>(cluster.Random(kElection)));
  }
  cluster.HealAll();
  for (const NodeId id : cluster.ids()) cluster.Restart(id);
  EXPECT_GT(cluster.Agree("at last", 5, 20000), Index{0});
  EXPECT_GT(cluster.reads_answered(), 10U);
  EXPECT_HELD(cluster);
}

TEST(Catalogue, ChurnReliable) { Churn(Reliable(5)); }

TEST(Catalogue, ChurnUnreliable) { Churn(Unreliable(5)); }

void Snapshots(ClusterOptions options, bool disconnect, bool crash) {
  options.snapshot_every = 10;
  TestCluster cluster(options);
  ASSERT_GT(cluster.Agree("first", 3, 20000), Index{0});
  for (int round = 0; round < 20; ++round) {
    const NodeId leader = cluster.AwaitLeader();
    const NodeId victim = round % 3 == 1 ? leader : Other(cluster, leader);
    if (disconnect) cluster.Connect(victim, false);
    if (crash) cluster.Crash(victim);
    for (int i = 0; i < 25; ++i) {
      const std::string command = absl::StrCat("round ", round, " ", i);
      const NodeId now = cluster.Leader();
      if (now != kNoNode) (void)cluster.Propose(now, command);
    }
    ASSERT_GT(cluster.Agree(absl::StrCat("two ", round), 2, 20000), Index{0});
    cluster.Connect(victim, true);
    cluster.Restart(victim);
    ASSERT_GT(cluster.Agree(absl::StrCat("three ", round), 3, 20000), Index{0})
        << cluster.violation();
  }
  const bool installs = disconnect || crash;
  EXPECT_EQ(cluster.snapshots_installed() > 0, installs);
  EXPECT_HELD(cluster);
}

TEST(Catalogue, SnapshotsBasic) { Snapshots(Reliable(3), false, false); }
TEST(Catalogue, SnapshotsInstall) { Snapshots(Reliable(3), true, false); }
TEST(Catalogue, SnapshotsInstallUnreliable) { Snapshots(Unreliable(3), true, false); }
TEST(Catalogue, SnapshotsInstallCrash) { Snapshots(Reliable(3), false, true); }
TEST(Catalogue, SnapshotsInstallUnreliableCrash) { Snapshots(Unreliable(3), false, true); }

TEST(Catalogue, SnapshotsAllCrash) {
  ClusterOptions options = Reliable(3);
  options.snapshot_every = 10;
  TestCluster cluster(options);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 15; ++i) {
      ASSERT_GT(cluster.Agree(absl::StrCat(round, " ", i), 3), Index{0}) << cluster.violation();
    }
    for (const NodeId id : cluster.ids()) cluster.Crash(id);
    for (const NodeId id : cluster.ids()) cluster.Restart(id);
  }
  EXPECT_GT(cluster.Agree("after", 3), Index{0});
  EXPECT_HELD(cluster);
}

}  // namespace
}  // namespace slipway::raft::testing
