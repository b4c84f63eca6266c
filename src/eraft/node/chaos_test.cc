// Everything at once, from seeds: nodes that lose their power, networks that part and lose, and
// clients that wrote down what they were told (E203).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/test_cluster.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::sim::Loss;

// Appends numbers to one key, each once, and remembers what was answered.
struct Client {
  explicit Client(TestCluster& c) : cluster(c) {}

  void Propose() {
    const raft::NodeId leader = cluster.Leader();
    if (leader == raft::kNoNode) return;
    const int number = next++;
    replies[number] =
        cluster.Propose(leader, AppendOf("log", absl::StrCat(number, ",")), absl::Seconds(5));
  }
  // A linearizable read shows all that was acknowledged before it was asked, once each.
  void Check(const std::string& text) {
    std::map<int, int> seen;
    for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
      int number = 0;
      ASSERT_TRUE(absl::SimpleAtoi(part, &number)) << text;
      ++seen[number];
    }
    for (const auto& [number, reply] : replies) {
      ASSERT_LE(seen[number], 1) << number << " was executed twice: " << text;
      ASSERT_LE(reply->calls, 1);
      if (!reply->done) continue;
      if (reply->outcome.ok()) {
        ASSERT_EQ(seen[number], 1) << number << " is lost: " << text;
      } else if (FateOf(reply->outcome.status()) == Fate::kNotExecuted) {
        ASSERT_EQ(seen[number], 0) << number << " was said not to be executed: " << text;
      }
    }
  }

  TestCluster& cluster;
  int next = 0;
  std::map<int, std::shared_ptr<TestCluster::Reply>> replies;
};

void Trouble(TestCluster& cluster) {
  const raft::NodeId id = 1 + cluster.Random(3);
  const raft::NodeId other = 1 + cluster.Random(3);
  switch (cluster.Random(13)) {
    case 0:
      return cluster.Crash(id, Loss::kLoseAllUnsynced);
    case 1:
      return cluster.Crash(id, Loss::kSeeded);
    case 2:
      for (raft::NodeId n = 1; n <= 3; ++n) cluster.Crash(n);
      return;
    case 3:
      return cluster.Cut(id, other, true);
    case 4:
      return cluster.Isolate(id, true);
    case 5:
      return cluster.Stall(id, true);
    case 6:
      if (cluster.up(id)) cluster.node(id).TransferLeader(kTestGroup, other).IgnoreError();
      return;
    default:
      cluster.HealAll();
      for (raft::NodeId n = 1; n <= 3; ++n) {
        if (!cluster.up(n)) cluster.Start(n);
      }
  }
}

void RunSeed(uint64_t seed) {
  TestCluster::Options options;
  options.seed = seed;
  options.drop_percent = seed % 3 * 4;
  options.delay_max = absl::Milliseconds(seed % 2 == 0 ? 3 : 80);
  options.node.snapshot_entries = 20;
  options.node.log_keep_entries = seed % 4;
  options.node.raft.memory_bytes_max = 100;
  TestCluster cluster(options);
  Client client(cluster);
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 3; ++i) client.Propose();
    cluster.RunFor(absl::Milliseconds(50 + static_cast<int64_t>(cluster.Random(700))));
    if (cluster.Random(3) == 0) Trouble(cluster);
    if (::testing::Test::HasFailure()) return;
  }
  cluster.options().drop_percent = 0;
  cluster.HealAll();
  for (raft::NodeId n = 1; n <= 3; ++n) {
    if (!cluster.up(n)) cluster.Start(n);
  }
  ASSERT_TRUE(cluster.AwaitApplied(absl::Seconds(120)));
  const std::string log = cluster.Get(1 + cluster.Random(3), "log");
  client.Check(log == "-" ? "" : log);
  EXPECT_EQ(cluster.LogicalState(1), cluster.LogicalState(2));
  EXPECT_EQ(cluster.LogicalState(1), cluster.LogicalState(3));
}

TEST(NodeChaos, WhatIsAcknowledgedStaysAndWhatIsRefusedNeverHappens) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RunSeed(seed);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace slipway::eraft
