// Everything at once, from many seeds: crashes, partitions, stalled disks, snapshots, reads,
// transfer and changes of membership, while the little world checks the promises of Raft; and that
// the same inputs give the same outputs (E100).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/testing/status_matchers.h"
#include "raft/test_cluster.h"

namespace slipway::raft::testing {
namespace {

ClusterOptions ChaosOptions(uint64_t seed) {
  ClusterOptions options;
  options.nodes = 3;
  options.spare_nodes = 3;
  options.seed = seed;
  options.write_units_max = static_cast<int>(seed % 7);
  options.drop_percent = static_cast<int>(seed % 3) * 5;
  options.duplicate_percent = 5;
  options.late_percent = 5;
  options.snapshot_every = seed % 2 == 0 ? 20 : 0;
  options.raft.memory_bytes_max = seed % 4 == 0 ? 600 : 1 << 20;
  options.raft.append_bytes_max = 200;
  options.raft.inflight_messages_max = 4;
  options.raft.commit_waits = seed % 8 < 4;
  options.raft.hibernate_ticks = seed % 5 == 0 ? 5 : 0;
  return options;
}

Membership RandomMembership(TestCluster& cluster) {
  Membership target;
  while (target.voters.empty()) {
    target = {};
    for (const NodeId id : cluster.ids()) {
      const uint64_t what = cluster.Random(6);
      if (what < 4) target.voters.push_back(id);
      if (what == 4) target.learners.push_back(id);
    }
  }
  return target;
}

void Disturb(TestCluster& cluster) {
  const NodeId any = 1 + cluster.Random(6);
  switch (cluster.Random(12)) {
    case 0:
      cluster.Connect(any, false);
      break;
    case 1:
      cluster.Connect(any, 1 + any % 6, false);
      break;
    case 2:
    case 3:
      cluster.HealAll();
      break;
    case 4:
      cluster.Crash(any);
      break;
    case 5:
      cluster.StallDisk(any, true);
      break;
    case 6:
      (void)cluster.Change(RandomMembership(cluster));
      break;
    case 7:
      if (cluster.Leader() != kNoNode) {
        (void)cluster.raft(cluster.Leader()).TransferLeader(any);
      }
      break;
    default:
      cluster.Restart(any);
  }
}

void Chaos(TestCluster& cluster, int rounds) {
  for (int round = 0; round < rounds && cluster.violation().empty(); ++round) {
    Disturb(cluster);
    for (const NodeId id : cluster.ids()) {
      if (cluster.up(id) && cluster.Random(2) == 0) {
        (void)cluster.Propose(id, absl::StrCat("command of round ", round));
      }
      if (cluster.Random(3) == 0) cluster.Read(id);
    }
    cluster.Run(static_cast<int>(cluster.Random(25)));
  }
}

std::string Describe(TestCluster& cluster) {
  std::string text;
  for (const NodeId id : cluster.ids()) {
    const Status status = cluster.raft(id).GetStatus();
    absl::StrAppend(&text, "\nnode ", id, ": role ", static_cast<int>(status.role), " term ",
                    status.term, " leader ", status.leader, " commit ", status.commit, " applied ",
                    status.applied, " persisted ", status.persisted, " last ", status.last,
                    status.hibernating ? " hibernating" : "", " voters ",
                    absl::StrJoin(status.membership.voters, ","), " outgoing ",
                    absl::StrJoin(status.membership.outgoing, ","), " learners ",
                    absl::StrJoin(status.membership.learners, ","));
    for (const PeerProgress& peer : status.peers) {
      absl::StrAppend(&text, "\n  peer ", peer.id, " state ", static_cast<int>(peer.state),
                      " match ", peer.match, " next ", peer.next, " active ", peer.active);
    }
  }
  return text;
}

// After the faults: everybody is back, the membership becomes one that all are in, all agree.
void Settle(TestCluster& cluster) {
  cluster.HealAll();
  cluster.options().drop_percent = 0;
  for (const NodeId id : cluster.ids()) cluster.Restart(id);
  Membership all;
  all.voters = cluster.ids();
  const auto everybody_votes = [&] {
    if (cluster.Leader() == kNoNode) return false;
    if (cluster.raft(cluster.Leader()).GetStatus().membership == all) return true;
    (void)cluster.Change(all);
    return false;
  };
  EXPECT_TRUE(cluster.RunUntil(everybody_votes, 20000)) << cluster.violation() << Describe(cluster);
  EXPECT_GT(cluster.Agree("at last", 6, 20000), Index{0}) << cluster.violation();
  EXPECT_EQ(cluster.violation(), "");
}

TEST(Chaos, PromisesHoldAndTheGroupRecovers) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    TestCluster cluster(ChaosOptions(seed));
    Chaos(cluster, 150);
    Settle(cluster);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Chaos, FiveNodesThatCrashInTheMiddleOfWrites) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    ClusterOptions options;
    options.nodes = 5;
    options.seed = seed;
    options.write_units_max = 12;
    options.late_percent = 10;
    TestCluster cluster(options);
    for (int round = 0; round < 200 && cluster.violation().empty(); ++round) {
      const NodeId any = 1 + cluster.Random(5);
      if (cluster.Random(3) == 0) {
        cluster.Crash(any);
      } else {
        cluster.Restart(any);
      }
      const NodeId leader = cluster.Leader();
      if (leader != kNoNode) (void)cluster.Propose(leader, absl::StrCat(round));
      if (cluster.Random(4) == 0) cluster.Connect(any, cluster.Random(2) == 0);
      cluster.Run(static_cast<int>(cluster.Random(30)));
    }
    cluster.HealAll();
    for (const NodeId id : cluster.ids()) cluster.Restart(id);
    EXPECT_GT(cluster.Agree("at last", 5, 20000), Index{0});
    ASSERT_EQ(cluster.violation(), "");
  }
}

TEST(Chaos, TheSameInputsGiveTheSameBytes) {  // E100
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    TestCluster first(ChaosOptions(seed));
    TestCluster second(ChaosOptions(seed));
    TestCluster other(ChaosOptions(seed + 7));
    Chaos(first, 100);
    Chaos(second, 100);
    Chaos(other, 100);
    EXPECT_EQ(first.trace(), second.trace());
    EXPECT_NE(first.trace(), other.trace());
  }
}

}  // namespace
}  // namespace slipway::raft::testing
