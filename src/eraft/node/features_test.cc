// A cluster of two versions (E125).
#include "eraft/node/features.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/testing/status_matchers.h"
#include "eraft/node/test_cluster.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::testing::StatusIs;

PeerSight Of(raft::NodeId id, uint32_t level) { return {id, true, false, level}; }

TEST(Features, AKindIsUsedWhenAllMembersKnowIt) {
  constexpr uint32_t kOld = 1, kNew = 2;
  const raft::Membership members = Voters({1, 2, 3});
  const auto level = [&](std::vector<PeerSight> peers) {
    return ClusterLevel(members, 1, kNew, peers);
  };
  // A rolling upgrade: one after the other, and back.
  EXPECT_EQ(level({Of(2, kOld), Of(3, kOld)}), kOld);
  EXPECT_EQ(level({Of(2, kNew), Of(3, kOld)}), kOld);
  EXPECT_THAT(CheckLevel(kNew, level({Of(2, kNew), Of(3, kOld)})),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(CheckLevel(kOld, level({Of(2, kNew), Of(3, kOld)})));
  EXPECT_EQ(level({Of(2, kNew), Of(3, kNew)}), kNew);
  EXPECT_OK(CheckLevel(kNew, level({Of(2, kNew), Of(3, kNew)})));
  EXPECT_EQ(ClusterLevel(members, 3, kOld, {Of(1, kNew), Of(2, kNew)}), kOld);
}

TEST(Features, WhoHasNotGreetedIsTakenForTheOldest) {
  EXPECT_EQ(ClusterLevel(Voters({1, 2, 3}), 1, 2, {Of(2, 2), Of(3, 0)}), 1u);
  EXPECT_EQ(ClusterLevel(Voters({1, 2, 3}), 1, 2, {Of(2, 2)}), 1u);
}

TEST(Features, AllKindsOfMembersCountAndStrangersDoNot) {
  raft::Membership members = Voters({1, 2});
  members.learners = {3};
  EXPECT_EQ(ClusterLevel(members, 1, 2, {Of(2, 2), Of(3, 1)}), 1u);
  EXPECT_EQ(ClusterLevel(members, 1, 2, {Of(2, 2), Of(3, 2), Of(9, 1)}), 2u);
  members.outgoing = {1, 4};
  EXPECT_EQ(ClusterLevel(members, 1, 2, {Of(2, 2), Of(3, 2), Of(4, 1)}), 1u);
}

TEST(Features, ThisProgramKnowsAllItsKinds) {
  for (const CommandOp op :
       {CommandOp::kPut, CommandOp::kAppend, CommandOp::kDelete, CommandOp::kCompareAndSet,
        CommandOp::kRegisterSession, CommandOp::kCloseSession, CommandOp::kSetSessionLimits,
        CommandOp::kDeleteShard}) {
    EXPECT_LE(LevelOf(op), kEntryLevel);
  }
  EXPECT_GT(LevelOf(static_cast<CommandOp>(200)), kEntryLevel);
}

}  // namespace
}  // namespace slipway::eraft
