// Snapshots, truncation, membership: what a group does to stay small and to take nodes in (E64,
// E151, E160-E162).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/codec.h"
#include "eraft/node/limits.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/install.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::sim::Loss;
using ::slipway::base::testing::StatusIs;
using ::testing::SizeIs;

TestCluster::Options Compacting(uint64_t entries) {
  TestCluster::Options options;
  options.node.snapshot_entries = entries;
  options.node.log_keep_entries = 5;
  return options;
}

bool WriteMany(TestCluster& cluster, int count, size_t bytes = 10) {
  for (int i = 0; i < count; ++i) {
    const std::string key = absl::StrCat("k", i % 50);
    if (!cluster.RunSomewhere(PutOf(key, absl::StrCat(i, std::string(bytes, 'x'))))) return false;
  }
  return true;
}

GroupStatus StatusOf(TestCluster& cluster, raft::NodeId id) {
  return *cluster.node(id).GetStatus(kTestGroup);
}

// Node 3 leaves, loses its disk, and comes back as a learner.
void ReplaceNode3(TestCluster& cluster) {
  ASSERT_NE(cluster.AwaitLeader(), raft::kNoNode);
  ASSERT_TRUE(cluster.Leader() != 3 || cluster.MakeLeader(1));
  cluster.Crash(3);
  ASSERT_TRUE(cluster.RunUntil([&] {
    const raft::NodeId leader = cluster.Leader();
    if (leader == raft::kNoNode) return false;
    cluster.node(leader).ProposeMembership(kTestGroup, Voters({1, 2})).IgnoreError();
    cluster.RunFor(absl::Milliseconds(500));
    return cluster.raft(leader).membership == Voters({1, 2});
  }));
  cluster.Wipe(3, {});
  ASSERT_TRUE(WriteMany(cluster, 20));
  cluster.Start(3);
  raft::Membership learner = Voters({1, 2});
  learner.learners = {3};
  ASSERT_OK(cluster.node(cluster.AwaitLeader()).ProposeMembership(kTestGroup, learner));
}

// E64.
TEST(NodeSnapshots, LogBounded) {
  TestCluster cluster(Compacting(40));
  ASSERT_TRUE(WriteMany(cluster, 1200, 1000));
  ASSERT_TRUE(cluster.AwaitApplied());
  cluster.RunFor(absl::Seconds(3));
  for (raft::NodeId id = 1; id <= 3; ++id) {
    const GroupStatus status = StatusOf(cluster, id);
    EXPECT_GE(status.log_start.index + 40 + 5 + 1, status.raft.last) << id;
    EXPECT_GE(status.snapshot, status.log_start.index + 5) << id;
    int segments = 0;
    for (int n = 1; n < 200; ++n) {
      segments += cluster.files(id).Exists(absl::StrCat("/data/wal/", n, ".wal")) ? 1 : 0;
    }
    EXPECT_LE(segments, 3) << id;  // 1.2 MB were written, a segment holds 128 KiB
  }
  for (raft::NodeId id = 1; id <= 3; ++id) cluster.Crash(id, Loss::kLoseAllUnsynced);
  for (raft::NodeId id = 1; id <= 3; ++id) cluster.Start(id);
  ASSERT_NE(cluster.AwaitLeader(), raft::kNoNode);
  EXPECT_EQ(cluster.Get(1, "k49"), absl::StrCat(1199, std::string(1000, 'x')));
}

TEST(NodeSnapshots, AWipedNodeIsFilledAndPromoted) {
  TestCluster cluster(Compacting(30));
  ASSERT_TRUE(WriteMany(cluster, 200));
  ReplaceNode3(cluster);
  if (HasFatalFailure()) return;
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_GT(StatusOf(cluster, 3).log_start.index, 100u);  // it came by a snapshot
  ASSERT_OK(cluster.node(cluster.Leader()).ProposeMembership(kTestGroup, Voters({1, 2, 3})));
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.raft(3).membership == Voters({1, 2, 3}); }));
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(1));
  EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(2));
  // It counts: one of the others may go.
  cluster.Crash(cluster.AwaitLeader());
  EXPECT_TRUE(cluster.RunSomewhere(PutOf("k", "with three")));
}

// Parts get lost, come late and twice; the state arrives all the same.
TEST(NodeSnapshots, ALossyNetworkDelaysButDoesNotDamage) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    TestCluster::Options options = Compacting(30);
    options.seed = seed;
    TestCluster cluster(options);
    ASSERT_TRUE(WriteMany(cluster, 100, 3000));
    cluster.options().drop_percent = 15;
    cluster.options().delay_max = absl::Milliseconds(60);
    ReplaceNode3(cluster);
    if (HasFatalFailure()) return;
    ASSERT_TRUE(cluster.AwaitApplied(absl::Seconds(300))) << seed;
    EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(cluster.Leader())) << seed;
  }
}

// E162: the receiver loses its power at any moment of the transfer or the install.
TEST(NodeSnapshots, PowerLossWhileASnapshotComesLeavesTheOldOrTheNewState) {
  for (int n = 1;; n += 3) {
    TestCluster cluster(Compacting(30));
    ASSERT_TRUE(WriteMany(cluster, 60));
    ASSERT_NO_FATAL_FAILURE(ReplaceNode3(cluster)) << n;
    cluster.files(3).PowerLossAt(n);
    const bool off = cluster.RunUntil(
        [&] {
          return cluster.files(3).off() ||
                 StatusOf(cluster, 3).raft.membership.learners.size() == 1;
        },
        absl::Seconds(30));
    ASSERT_TRUE(off) << n;
    const bool done = !cluster.files(3).off();
    cluster.Crash(3);
    ASSERT_NO_FATAL_FAILURE(cluster.Start(3)) << n;
    ASSERT_TRUE(cluster.AwaitApplied()) << n;
    ASSERT_EQ(cluster.LogicalState(3), cluster.LogicalState(cluster.Leader())) << n;
    if (done) break;
  }
}

// E161: not more than a window is under way, and a transfer that was cut goes on where it was.
TEST(NodeSnapshots, PartsUnderWayAreBounded) {
  TestCluster cluster(Compacting(30));
  ASSERT_TRUE(WriteMany(cluster, 60));
  uint64_t sent = 0, taken = 0, most = 0;
  cluster.filter = [&](raft::NodeId, raft::NodeId, base::BytesView bytes) {
    const auto frame = DecodeFrame(base::Bytes(bytes.begin(), bytes.end()));
    if (!frame.ok()) return true;
    if (const auto* part = std::get_if<SnapshotPart>(&frame->body)) {
      sent = std::max(sent, part->number + 1);
      most = std::max(most, sent - taken);
    }
    if (const auto* answer = std::get_if<SnapshotAnswer>(&frame->body)) {
      if (answer->reply == SnapshotReply::kTaken) taken = std::max(taken, answer->next);
    }
    return true;
  };
  ReplaceNode3(cluster);
  if (HasFatalFailure()) return;
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_GE(sent, 1u);
  EXPECT_LE(most, kSnapshotWindow);
}

TEST(NodeSnapshots, AFollowerThatIsALittleSlowGetsTheLog) {
  TestCluster::Options options = Compacting(50);
  options.node.log_keep_entries = 45;
  options.node.raft.memory_bytes_max = 1;  // old entries come from the disk (E106)
  options.node.raft.append_bytes_max = 200;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  const raft::NodeId slow = leader % 3 + 1;
  ASSERT_TRUE(WriteMany(cluster, 40));
  cluster.Isolate(slow, true);
  ASSERT_TRUE(WriteMany(cluster, 40));
  cluster.Isolate(slow, false);
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.LogicalState(slow), cluster.LogicalState(leader));
  const std::string metrics = cluster.metrics(leader).Text();
  EXPECT_NE(metrics.find("dir=\"send\",group=\"7\",node=\"" + absl::StrCat(leader) +
                         "\",result=\"ok\"} 0"),
            std::string::npos)
      << metrics;
}

// E70, at a scale of 1 to 1024: a log of 10 GiB is 10 MiB, a frame of 1 MiB is 1 KiB but holds
// one entry of 4 at least. Nothing that is sent grows with what is missing, and nobody loses office
// over it.
TEST(NodeSnapshots, LaggingFollower10GiB) {
  constexpr uint64_t kEntryBytes = 4 << 10;
  constexpr int kEntries = 2560;
  TestCluster::Options options = Compacting(1'000'000);
  options.node.raft.append_bytes_max = 1 << 10;
  options.node.raft.inflight_bytes_max = 8 << 10;
  options.node.raft.memory_bytes_max = 64 << 10;
  TestCluster cluster(options);
  const raft::NodeId leader = cluster.AwaitLeader();
  const raft::NodeId slow = leader % 3 + 1;
  cluster.Isolate(slow, true);
  std::shared_ptr<TestCluster::Reply> last;
  for (int i = 0; i < kEntries; ++i) {
    last = cluster.Propose(leader, PutOf(absl::StrCat(i % 10), std::string(kEntryBytes, 'x')));
    ASSERT_TRUE(i % 64 != 63 || cluster.RunUntil([&] { return last->done; })) << i;
  }
  ASSERT_OK(last->outcome);
  const raft::Term term = cluster.raft(leader).term;
  size_t largest = 0;
  raft::Index sent = 0, taken = 0, most = 0;
  cluster.filter = [&](raft::NodeId from, raft::NodeId to, base::BytesView bytes) {
    if (to == slow) largest = std::max(largest, bytes.size());
    const auto frame = DecodeFrame(base::Bytes(bytes.begin(), bytes.end()));
    const auto* message = frame.ok() ? std::get_if<raft::Message>(&frame->body) : nullptr;
    if (message == nullptr) return true;
    if (to == slow && !message->entries.empty()) sent = message->entries.back().index;
    if (from == slow && message->kind == raft::MessageKind::kAppendReply && !message->reject) {
      taken = std::max(taken, message->log_index);
    }
    if (taken > 0 && sent > taken) most = std::max(most, sent - taken);
    return true;
  };
  cluster.Isolate(slow, false);
  ASSERT_TRUE(cluster.AwaitApplied(absl::Minutes(10)));
  EXPECT_EQ(cluster.LogicalState(slow), cluster.LogicalState(leader));
  EXPECT_EQ(cluster.raft(leader).term, term);
  EXPECT_LE(largest, kEntryBytes + 256);
  EXPECT_GE(most, 1u);
  EXPECT_LE(most, 3u);  // the window of 8 KiB is passed by less than an entry
}

// A leader with a state of 10 MB, and node 3 without anything.
void SendLargeState(TestCluster& cluster) {
  const raft::NodeId leader = cluster.AwaitLeader();
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(cluster.Run(leader, PutOf(absl::StrCat(i), std::string(100'000, 'x'))));
  }
  ASSERT_OK(cluster.node(leader).TakeSnapshot(kTestGroup));
  ASSERT_TRUE(cluster.RunUntil([&] { return StatusOf(cluster, leader).log_start.index > 50; }));
  ReplaceNode3(cluster);
}

// E161: --snapshot-rate. A wait for the rate that is longer than any silence is no silence.
TEST(NodeSnapshots, TheRateIsKeptHoweverLowItIs) {
  for (const double rate : {2e6, 1e5}) {
    TestCluster::Options options = Compacting(900);
    options.node.wal_segment_bytes = 2 << 20;
    options.node.snapshot_bytes_per_second = rate;
    TestCluster cluster(options);
    std::set<uint64_t> transfers;
    double sent = 0;
    absl::Duration begun;
    cluster.filter = [&](raft::NodeId, raft::NodeId, base::BytesView bytes) {
      const auto frame = DecodeFrame(base::Bytes(bytes.begin(), bytes.end()));
      const auto* part = frame.ok() ? std::get_if<SnapshotPart>(&frame->body) : nullptr;
      if (part == nullptr) return true;
      if (transfers.insert(part->transfer).second) begun = cluster.now();
      sent += static_cast<double>(part->chunk.size());
      // What is saved up at first, and what one job reads, may be ahead of the rate.
      EXPECT_LE(sent, (8 << 20) + rate * absl::ToDoubleSeconds(cluster.now() - begun) + 100);
      return true;
    };
    ASSERT_NO_FATAL_FAILURE(SendLargeState(cluster));
    ASSERT_TRUE(cluster.AwaitApplied(absl::Minutes(5))) << rate;
    EXPECT_THAT(transfers, SizeIs(1)) << rate;
    EXPECT_GE(sent, 1e7);
    // Nor does it come later than need be.
    EXPECT_LE(cluster.now() - begun, absl::Seconds(sent / rate) + absl::Seconds(3)) << rate;
  }
}

// E414, E167: a disk that fills up in the middle is neither damage of the snapshot nor a reason to
// send it again and again.
TEST(NodeSnapshots, WhoRunsOutOfRoomIsOfferedItAgainLater) {
  TestCluster::Options options = Compacting(900);
  options.node.wal_segment_bytes = 2 << 20;
  TestCluster cluster(options);
  uint64_t offers = 0;
  ASSERT_NO_FATAL_FAILURE(SendLargeState(cluster));
  cluster.filter = [&](raft::NodeId, raft::NodeId to, base::BytesView bytes) {
    const auto frame = DecodeFrame(base::Bytes(bytes.begin(), bytes.end()));
    if (to == 3 && frame.ok() && std::holds_alternative<SnapshotOffer>(frame->body)) ++offers;
    return true;
  };
  cluster.files(3).SetCapacity(8 << 20);
  const raft::NodeId leader = cluster.AwaitLeader();
  cluster.RunFor(absl::Seconds(30));
  EXPECT_LT(cluster.kv(3).applied, 50u);
  EXPECT_OK(cluster.fatal(3));
  EXPECT_GE(offers, 10u);
  EXPECT_LE(offers, 60u);  // about one an election timeout; an answer may overtake another one
  // In between it has given its turn to others.
  EXPECT_TRUE(cluster.RunUntil([&] { return StatusOf(cluster, leader).snapshots_sending == 1; }));
  cluster.files(3).SetCapacity(0);
  ASSERT_TRUE(cluster.AwaitApplied(absl::Minutes(5)));
  EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(leader));
}

// E167: a snapshot that came, and has no room to become the state, is kept for when there is some.
TEST(NodeSnapshots, WhatHasNoRoomToBeInstalledIsNotSentAgain) {
  int waited = 0, installed = 0;
  for (uint64_t room = 100; installed == 0; room += room / 4) {
    ASSERT_LT(room, uint64_t{1} << 30);
    TestCluster cluster(Compacting(30));
    ASSERT_TRUE(WriteMany(cluster, 100, /*bytes=*/100));
    ASSERT_NO_FATAL_FAILURE(ReplaceNode3(cluster));
    const raft::NodeId leader = cluster.AwaitLeader();
    ASSERT_TRUE(cluster.RunUntil([&] { return StatusOf(cluster, 3).installing; }));
    uint64_t parts = 0;
    cluster.filter = [&](raft::NodeId, raft::NodeId to, base::BytesView bytes) {
      const auto frame = DecodeFrame(base::Bytes(bytes.begin(), bytes.end()));
      if (to == 3 && frame.ok() && std::holds_alternative<SnapshotPart>(frame->body)) ++parts;
      return true;
    };
    uint64_t used = 0;
    for (const auto& [path, bytes] : cluster.files(3).List()) used += bytes;
    cluster.files(3).SetCapacity(used + room);
    cluster.RunFor(absl::Seconds(5));
    ++(StatusOf(cluster, 3).installing ? waited : installed);
    EXPECT_OK(cluster.fatal(3)) << room;
    cluster.files(3).SetCapacity(0);
    ASSERT_TRUE(cluster.AwaitApplied()) << room;
    EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(leader)) << room;
    EXPECT_EQ(parts, 0u) << room;
  }
  EXPECT_GT(waited, 0);
}

// Has no room to open the state, while `full`.
class UnopenedHome : public EngineHome {
 public:
  UnopenedHome(std::unique_ptr<EngineHome> home, const bool& full)
      : home_(std::move(home)), full_(full) {}
  base::Owned<Engine> Open(absl::string_view path) override {
    if (full_ && path == kEngineDir) return absl::ResourceExhaustedError("No space left on device");
    return home_->Open(path);
  }
  EngineKind kind() const override { return home_->kind(); }
  bool IsImmutable(absl::string_view name) const override { return home_->IsImmutable(name); }

 private:
  const std::unique_ptr<EngineHome> home_;
  const bool& full_;
};

// E167: nor is a disk that fills up behind the install the end of the node.
TEST(NodeSnapshots, WhatHasNoRoomToBeOpenedIsOpenedLater) {
  for (const bool restart : {false, true}) {
    TestCluster::Options options = Compacting(30);
    bool full = false;
    options.make_home = [&](base::Dir& dir) -> std::unique_ptr<EngineHome> {
      return std::make_unique<UnopenedHome>(MemoryHome(&dir), full);
    };
    TestCluster cluster(options);
    ASSERT_TRUE(WriteMany(cluster, 100));
    ASSERT_NO_FATAL_FAILURE(ReplaceNode3(cluster));
    full = true;
    ASSERT_TRUE(cluster.RunUntil([&] { return StatusOf(cluster, 3).installing; }));
    cluster.RunFor(absl::Seconds(10));
    EXPECT_OK(cluster.fatal(3));
    EXPECT_TRUE(StatusOf(cluster, 3).installing);
    const raft::NodeId leader = cluster.AwaitLeader();
    ASSERT_OK(cluster.Run(leader, PutOf("k1", "after")));
    full = false;
    if (restart) {
      cluster.Crash(3);
      cluster.Start(3);
    }
    ASSERT_TRUE(cluster.AwaitApplied()) << restart;
    EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(leader)) << restart;
    EXPECT_EQ(cluster.Get(3, "k1"), "after") << restart;
  }
}

// E161: a state of many chunks, while writes go on.
TEST(NodeSnapshots, ALargeStateComesInBoundedPartsWhileWritesGoOn) {
  TestCluster::Options options = Compacting(900);
  options.node.wal_segment_bytes = 2 << 20;
  TestCluster cluster(options);
  size_t largest = 0;
  cluster.filter = [&](raft::NodeId, raft::NodeId, base::BytesView bytes) {
    largest = std::max(largest, bytes.size());
    return true;
  };
  ASSERT_NO_FATAL_FAILURE(SendLargeState(cluster));
  ASSERT_TRUE(WriteMany(cluster, 30));
  ASSERT_TRUE(cluster.AwaitApplied(absl::Minutes(5)));
  EXPECT_EQ(cluster.LogicalState(3), cluster.LogicalState(cluster.Leader()));
  EXPECT_LE(largest, (1u << 20) + 128);
}

TEST(NodeSnapshots, MembersComeAndGo) {
  TestCluster cluster({});
  ASSERT_TRUE(WriteMany(cluster, 10));
  cluster.Add(4, {});
  cluster.Add(5, {});
  ASSERT_OK(cluster.node(cluster.AwaitLeader()).ProposeMembership(kTestGroup, Voters({1, 4, 5})));
  ASSERT_TRUE(cluster.RunUntil([&] {
    return cluster.raft(4).membership == Voters({1, 4, 5}) &&
           cluster.raft(5).membership == Voters({1, 4, 5});
  }));
  cluster.Crash(2);
  cluster.Crash(3);
  ASSERT_TRUE(cluster.RunSomewhere(PutOf("k", "new members")));
  ASSERT_TRUE(cluster.AwaitApplied());
  EXPECT_EQ(cluster.LogicalState(4), cluster.LogicalState(5));
  EXPECT_EQ(cluster.Get(5, "k"), "new members");
}

TEST(NodeSnapshots, OneAtATime) {
  TestCluster cluster({});
  const raft::NodeId leader = cluster.AwaitLeader();
  ASSERT_OK(cluster.Run(leader, PutOf("k", "v")));
  ASSERT_OK(cluster.node(leader).TakeSnapshot(kTestGroup));
  EXPECT_THAT(cluster.node(leader).TakeSnapshot(kTestGroup),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_TRUE(cluster.RunUntil([&] { return StatusOf(cluster, leader).snapshot > 0; }));
  EXPECT_OK(cluster.node(leader).TakeSnapshot(kTestGroup));
}

}  // namespace
}  // namespace slipway::eraft
