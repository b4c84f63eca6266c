#include "eraft/wal/node_files.h"

#include "eraft/wal/test_wal.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft::wal {
namespace {

using absl::StatusCode;
using base::sim::Loss;
using ::slipway::base::testing::StatusIs;

TEST(Wal, AVoteIsInHardBeforeItIsAnswered) {  // E163
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  node.files.Settle();
  ASSERT_OK(node.Append(1, {.hard_state = raft::HardState{5, 3, 0}}));
  EXPECT_GE(CountTraced(node, "fdatasync node/HARD"), 1u);
  node.files.Settle();
  ASSERT_OK(node.Append(1, {.hard_state = raft::HardState{5, 3, 9}}));  // only the commit hint
  EXPECT_EQ(CountTraced(node, "fdatasync node/HARD"), 0u);
  node.clock.Advance(absl::Seconds(2));
  node.wal->Tick();
  node.Run();
  EXPECT_EQ(CountTraced(node, "fdatasync node/HARD"), 1u);
  ASSERT_OK_AND_ASSIGN(const TwoCopyState state, ReadTwoCopy(*node.dir, kHardName));
  ASSERT_OK_AND_ASSIGN(const HardCopies copies, DecodeHard(state.newest->payload));
  EXPECT_EQ(copies.groups.at(1), (raft::HardState{5, 3, 9}));
}

TEST(NodeFiles, TheLogCountsUnlessHardKnowsMore) {
  const raft::HardState log{.term = 5, .vote = 2, .commit = 7};
  EXPECT_EQ(NewerOf(log, {5, raft::kNoNode, 9}), log);  // HARD is older
  EXPECT_EQ(NewerOf(log, {4, 3, 9}), log);
  EXPECT_EQ(NewerOf(log, {6, 3, 1}), (raft::HardState{6, 3, 7}));
  EXPECT_EQ(NewerOf({5, raft::kNoNode, 7}, {5, 3, 1}), (raft::HardState{5, 3, 7}));
}

// The log was salvaged and HARD alone knows of a vote: it stays there until the log knows better.
TEST(Wal, AVoteThatOnlyHardKnowsIsKeptThere) {  // E163
  Node node(3);
  ASSERT_OK_AND_ASSIGN(const auto dir, node.files.OpenRoot("/node"));
  ASSERT_OK(TwoCopyFile::Create(*dir, kHardName, EncodeHard({.groups = {{7, {9, 2, 0}}}})));
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(8, {.hard_state = raft::HardState{1, 1, 0}}));  // HARD is written
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  ASSERT_OK_AND_ASSIGN(const raft::Restored restored, node.wal->Restore(7));
  EXPECT_EQ(restored.hard_state, (raft::HardState{9, 2, 0}));
  ASSERT_OK(node.Append(7, {.hard_state = raft::HardState{10, 1, 0}}));
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  EXPECT_EQ(node.wal->Restore(7)->hard_state, (raft::HardState{10, 1, 0}));
  ASSERT_OK(node.Append(7, {.remove_group = true}));
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  EXPECT_THAT(node.wal->Restore(7), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace slipway::eraft::wal
