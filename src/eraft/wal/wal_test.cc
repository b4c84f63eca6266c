#include "eraft/wal/wal.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eraft/wal/test_wal.h"

namespace slipway::eraft::wal {
namespace {

using absl::StatusCode;
using base::sim::Loss;
using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Wal, WhatWasAnsweredIsThereAfterAPowerLoss) {  // E110
  Node node(1);
  ASSERT_OK(node.Open());
  const raft::HardState state{.term = 3, .vote = 2, .commit = 1};
  ASSERT_OK(node.Append(7, {.hard_state = state, .entries = MakeEntries(1, 5, 3)}));
  ASSERT_OK(node.Append(9, {.entries = MakeEntries(1, 2)}));
  const LogModel before = ModelOf(*node.wal);
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  EXPECT_EQ(ModelOf(*node.wal), before);
  EXPECT_EQ(before.at(7).hard_state, state);
  EXPECT_EQ(before.at(7).entries.size(), 5u);
  ASSERT_OK_AND_ASSIGN(const raft::Restored restored, node.wal->Restore(7));
  EXPECT_EQ(restored.entries, MakeEntries(1, 5, 3));
  EXPECT_EQ(restored.hard_state, state);
}

TEST(Wal, RequestsOfAllGroupsShareOneWriteAndOneSync) {  // E110, E308
  Node node(1, 64 * base::kKiB);
  ASSERT_OK(node.Open());
  node.Run();
  node.files.Settle();
  std::vector<int> order;
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(node.wal->Append(static_cast<raft::GroupId>(i), {.entries = MakeEntries(1, 1)},
                               [&order, i](const absl::Status& status) {
                                 EXPECT_OK(status);
                                 order.push_back(i);
                               }));
  }
  EXPECT_TRUE(order.empty());
  node.Run();
  EXPECT_EQ(CountTraced(node), 1u);
  EXPECT_EQ(CountTraced(node, "write node/wal/"), 1u);
  EXPECT_EQ(order.size(), 50u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Wal, WhatComesDuringASyncGoesWithTheNext) {  // E110
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  node.files.Settle();
  int answered = 0;
  const auto append = [&](raft::Index index, auto done) {
    ASSERT_OK(node.wal->Append(1, {.entries = MakeEntries(index, 1)}, done));
  };
  append(1, [&](const absl::Status&) {
    ++answered;
    for (raft::Index index = 2; index <= 9; ++index) {
      append(index, [&](const absl::Status&) { ++answered; });
    }
  });
  node.Run();
  EXPECT_EQ(answered, 9);
  EXPECT_EQ(CountTraced(node), 2u);
}

TEST(Wal, AppendAtAnIndexVoidsWhatWasThere) {
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 6, 1)}));
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(4, 1, 2)}));
  EXPECT_EQ(node.wal->Find(1)->last_index, 4u);
  ASSERT_OK(node.Append(1, {.truncate_suffix_from = 3}));
  EXPECT_EQ(node.wal->Find(1)->last_index, 2u);
  ASSERT_OK(node.Reboot());
  EXPECT_EQ(node.wal->Find(1)->last_index, 2u);
  EXPECT_THAT(node.wal->Read(1, 1, 2, UINT64_MAX), IsOkAndHolds(MakeEntries(1, 2, 1)));
}

TEST(Wal, ReadGivesAnyRangeAndStopsAtItsLimit) {  // E106
  Node node(1, 64 * base::kKiB);
  ASSERT_OK(node.Open());
  for (raft::Index first = 1; first <= 91; first += 10) {
    ASSERT_OK(node.Append(1, {.entries = MakeEntries(first, 10, first)}));
  }
  for (raft::Index first = 1; first <= 100; first += 7) {
    for (raft::Index last = first; last <= 100; last += 13) {
      ASSERT_OK_AND_ASSIGN(const auto entries, node.wal->Read(1, first, last, UINT64_MAX));
      ASSERT_EQ(entries.size(), last - first + 1);
      EXPECT_EQ(entries.front().index, first);
      EXPECT_EQ(entries.back().index, last);
      EXPECT_EQ(entries.front().term, (first - 1) / 10 * 10 + 1);
    }
  }
  ASSERT_OK_AND_ASSIGN(const auto some, node.wal->Read(1, 1, 100, 50));
  EXPECT_EQ(some.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const auto one, node.wal->Read(1, 1, 100, 1));
  EXPECT_EQ(one.size(), 1u);
  EXPECT_THAT(node.wal->Read(1, 90, 101, 9), StatusIs(StatusCode::kOutOfRange, HasSubstr("100")));
  EXPECT_THAT(node.wal->Read(2, 1, 1, 9), StatusIs(StatusCode::kNotFound));
}

TEST(Wal, ReadFindsADiskThatGivesOtherBytes) {  // E106, E163
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 3)}));
  ASSERT_OK_AND_ASSIGN(const auto file, node.dir->Open("wal/1.wal", {.write = true}));
  ASSERT_OK_AND_ASSIGN(const std::string bytes, node.files.Read("/node/wal/1.wal"));
  const size_t at = bytes.find("e2.1:");
  ASSERT_NE(at, std::string::npos);
  ASSERT_OK(file->WriteAt(at, base::AsBytes("X")));
  EXPECT_THAT(node.wal->Read(1, 1, 3, UINT64_MAX),
              StatusIs(StatusCode::kDataLoss, HasSubstr("1.wal")));
}

TEST(Wal, RefusesWhatItCannotKeep) {  // E163: the payload's CRC is verified at the log
  Node node(1);
  ASSERT_OK(node.Open());
  EXPECT_THAT(node.Append(1, {}), StatusIs(StatusCode::kInvalidArgument));
  std::vector<raft::Entry> gap = MakeEntries(1, 2);
  gap[1].index = 3;
  EXPECT_THAT(node.Append(1, {.entries = gap}), StatusIs(StatusCode::kInvalidArgument));
  std::vector<raft::Entry> wrong = MakeEntries(1, 2);
  wrong[1].payload_crc ^= 1;
  EXPECT_THAT(node.Append(1, {.entries = wrong}), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(node.Append(1, {.entries = MakeEntries(1, 1, 1, kEntryRecordBytesMax)}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("a record holds")));
  EXPECT_TRUE(node.wal->Groups().empty());
  node.options.segment_bytes = 5000;
  EXPECT_THAT(node.Open(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("5000")));
}

TEST(Wal, MoreThanTheQueueHoldsIsRefusedAndLaterTaken) {
  Node node(1);
  node.options.queue_bytes_max = 1000;
  ASSERT_OK(node.Open());
  int answered = 0;
  const auto append = [&](raft::Index index) {
    return node.wal->Append(1, {.entries = MakeEntries(index, 1, 1, 400)},
                            [&](const absl::Status&) { ++answered; });
  };
  ASSERT_OK(append(1));
  ASSERT_OK(append(2));
  EXPECT_THAT(append(3), StatusIs(StatusCode::kResourceExhausted, HasSubstr("1000")));
  EXPECT_GT(node.wal->queued_bytes(), 800u);
  node.Run();
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(node.wal->queued_bytes(), 0u);
  EXPECT_OK(append(3));
}

TEST(Wal, ARequestOfManyBatchesIsAnsweredOnce) {
  Node node(1);
  ASSERT_OK(node.Open());
  Batch batch{.hard_state = raft::HardState{1, 1, 0}, .entries = MakeEntries(1, 300, 1, 50)};
  batch.truncate_prefix = raft::SnapshotMark{.index = 10, .term = 1, .membership = {}};
  LogModel model;
  ApplyTo(model, 1, batch);
  ASSERT_OK(node.Append(1, batch));
  EXPECT_EQ(ModelOf(*node.wal), model);
  EXPECT_GT(node.wal->segment_count(), 1u);
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  EXPECT_EQ(ModelOf(*node.wal), model);
}

TEST(Wal, AGroupThatLeftIsForgotten) {
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 5)}));
  ASSERT_OK(node.Append(2, {.entries = MakeEntries(1, 5)}));
  ASSERT_OK(node.Append(1, {.remove_group = true}));
  EXPECT_THAT(node.wal->Groups(), ElementsAre(2u));
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 1, 9)}));
  ASSERT_OK(node.Reboot());
  EXPECT_THAT(node.wal->Read(1, 1, 1, 99), IsOkAndHolds(MakeEntries(1, 1, 9)));
}

TEST(Wal, SnapshotIntentsAndMembershipsAreRemembered) {  // E162
  Node node(1);
  ASSERT_OK(node.Open());
  const raft::Membership members{
      .voters = {1, 2, 3}, .outgoing = {1}, .learners = {4}, .learners_next = {}};
  const raft::SnapshotMark mark{.index = 50, .term = 4, .membership = members};
  ASSERT_OK(node.Append(1, {.membership = MembershipCopy{7, members},
                            .snapshot_intent = SnapshotIntent{mark, "snap/1-4-50"}}));
  for (int round = 0; round < 3; ++round) {
    const std::optional<GroupView> view = node.wal->Find(1);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->membership, (MembershipCopy{7, members}));
    EXPECT_EQ(view->intent, (SnapshotIntent{mark, "snap/1-4-50"}));
    ASSERT_OK(node.Reboot());
    // Through new segments, too.
    ASSERT_OK(node.Append(2, {.entries = MakeEntries(1, 200, 1, 100)}));
  }
  ASSERT_OK(node.Append(1, {.truncate_prefix = mark, .snapshot_done = SnapshotDone{50, 4}}));
  ASSERT_OK(node.Reboot());
  EXPECT_EQ(node.wal->Find(1)->intent, std::nullopt);
  EXPECT_EQ(node.wal->Find(1)->mark, mark);
}

TEST(Wal, CloseWritesWhatWaitsAndVouchesForIt) {
  Node node(1);
  ASSERT_OK(node.Open());
  absl::Status answer = absl::UnknownError("not answered");
  ASSERT_OK(node.wal->Append(1, {.entries = MakeEntries(1, 3)},
                             [&](absl::Status status) { answer = std::move(status); }));
  ASSERT_OK(node.wal->Close());
  EXPECT_OK(answer);
  EXPECT_THAT(node.Append(1, {.entries = MakeEntries(4, 1)}),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_OK(node.wal->Close());
  ASSERT_OK(node.Open());
  EXPECT_EQ(node.wal->Find(1)->last_index, 3u);
}

TEST(Wal, TheLogOfAnotherClusterIsRefused) {  // E11
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 3)}));
  node.options.cluster[0] ^= 1;
  EXPECT_THAT(node.Open(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("cluster")));
}

TEST(Wal, OldestWaitIsThatOfTheFirstUnanswered) {  // E109
  Node node(1);
  ASSERT_OK(node.Open());
  EXPECT_EQ(node.wal->OldestWait(), absl::ZeroDuration());
  ASSERT_OK(node.wal->Append(1, {.entries = MakeEntries(1, 1)}, nullptr));
  node.clock.Advance(absl::Seconds(3));
  ASSERT_OK(node.wal->Append(1, {.entries = MakeEntries(2, 1)}, nullptr));
  EXPECT_EQ(node.wal->OldestWait(), absl::Seconds(3));
  node.Run();
  EXPECT_EQ(node.wal->OldestWait(), absl::ZeroDuration());
}

TEST(Wal, WhatRecoveryWouldNotTakeIsRefused) {
  Node node(1, base::kMiB);
  ASSERT_OK(node.Open());
  raft::Membership large;
  for (raft::NodeId id = 1; id <= kMembersMax + 1; ++id) large.learners.push_back(id);
  const raft::SnapshotMark mark{.index = 1, .term = 1, .membership = large};
  const std::string long_detail(kSnapshotDetailBytesMax + 1, 'd');
  for (const Batch& batch :
       {Batch{.membership = MembershipCopy{1, large}}, Batch{.truncate_prefix = mark},
        Batch{.snapshot_intent = SnapshotIntent{mark, ""}},
        Batch{.snapshot_intent = SnapshotIntent{{1, 1, {}}, long_detail}}}) {
    EXPECT_THAT(node.Append(1, batch), StatusIs(StatusCode::kInvalidArgument));
  }
  large.learners.pop_back();
  ASSERT_OK(node.Append(1, {.membership = MembershipCopy{1, large}}));
  ASSERT_OK(node.Reboot());
  EXPECT_EQ(node.wal->Find(1)->membership->membership, large);
}

// A pool that can be full.
class FullPool : public base::Pool {
 public:
  absl::Status Submit(base::Task job) override {
    return full ? absl::ResourceExhaustedError("submit a job: full") : pool.Submit(std::move(job));
  }
  bool RunOne() override { return pool.RunOne(); }
  int threads() const override { return 1; }

  base::sim::Pool pool{1};
  bool full = false;
};

TEST(Wal, CloseWritesWhatThePoolRefused) {
  Node node(1);
  FullPool pool;
  ASSERT_OK_AND_ASSIGN(const auto dir, node.files.OpenRoot("/node"));
  const WalParts parts{*dir, pool, node.background_pool, node.clock, node.metrics};
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Wal> wal, Wal::Open(node.options, parts, nullptr));
  absl::Status answer = absl::UnknownError("not answered");
  ASSERT_OK(wal->Append(1, {.entries = MakeEntries(1, 1)}, [&](const absl::Status& first) {
    EXPECT_OK(first);
    // Waits for the next step, for which the pool then has no room.
    EXPECT_OK(wal->Append(1, {.entries = MakeEntries(2, 1)},
                          [&](absl::Status status) { answer = std::move(status); }));
    pool.full = true;
  }));
  ASSERT_TRUE(pool.RunOne());
  ASSERT_FALSE(pool.RunOne());
  ASSERT_THAT(answer, StatusIs(StatusCode::kUnknown));
  ASSERT_OK(wal->Close());
  EXPECT_OK(answer);
  EXPECT_EQ(wal->queued_bytes(), 0u);
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  EXPECT_EQ(node.wal->Find(1)->last_index, 2u);
}

// A request that is too long for one batch takes effect in the order of its fields all the same.
TEST(Wal, PartsOfALongRequestStayInOrder) {
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 10, 1, 600), .remove_group = true}));
  EXPECT_EQ(node.wal->Find(1), std::nullopt);
  ASSERT_OK(node.Reboot());
  EXPECT_EQ(node.wal->Find(1), std::nullopt);
}

}  // namespace
}  // namespace slipway::eraft::wal
