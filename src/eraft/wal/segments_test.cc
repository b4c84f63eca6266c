// Which segments the log has, and what becomes of those that it needs no more.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "eraft/wal/durable_log.h"
#include "eraft/wal/limits.h"
#include "eraft/wal/test_wal.h"

namespace slipway::eraft::wal {
namespace {

using base::sim::Loss;
using ::slipway::base::testing::IsOkAndHolds;

// A leader with larger segments sends what fits none here: taken all the same, or a follower could
// never go on.
TEST(Wal, AnEntryLargerThanASegmentHasOneOfItsOwnSize) {
  for (const uint64_t bytes : {kSegmentBytesMin / 8, kSegmentBytesMin / 2, 5 * kSegmentBytesMin}) {
    Node node(bytes);
    ASSERT_OK(node.Open());
    raft::Index last = 0;
    for (int round = 0; round < 8; ++round) {
      ASSERT_OK(node.Append(1, {.entries = MakeEntries(last + 1, 2)}));
      ASSERT_OK(node.Append(1, {.hard_state = raft::HardState{1, 1, last},
                                .entries = MakeEntries(last + 3, 1, 1, bytes)}));
      ASSERT_OK(node.Append(1, {.entries = MakeEntries(last + 4, 3)}));
      last += 6;
      // In the midst of one it is as if it had never been begun.
      ASSERT_OK(node.wal->Append(1, {.entries = MakeEntries(last + 1, 1, 1, bytes)}, nullptr));
      node.writer_pool.RunOne();
      ASSERT_OK(node.Reboot(base::sim::Loss::kSeeded, static_cast<uint64_t>(round)));
      ASSERT_GE(node.wal->Find(1)->last_index, last);
      last = node.wal->Find(1)->last_index;
      ASSERT_OK_AND_ASSIGN(const auto entries, node.wal->Read(1, 1, last, UINT64_MAX));
      ASSERT_EQ(entries.size(), last);
      EXPECT_EQ(entries[2].payload.view().size(), bytes);
    }
    ASSERT_OK(node.Append(1, {.truncate_prefix = raft::SnapshotMark{.index = last, .term = 1}}));
    for (int i = 0; i < 20; ++i)
      ASSERT_OK(node.Append(1, {.entries = MakeEntries(++last, 1, 1, 1500)}));
    node.Run();
    ASSERT_OK(node.Open());
    EXPECT_LT(node.wal->segment_count(), 8u) << bytes;
  }
}

// E63: the reference rewrote its whole log on every append.
TEST(Wal, WalNeverRewrites) {
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  node.files.Settle();
  constexpr int kRounds = 400;
  for (raft::Index index = 1; index <= kRounds; ++index) {
    ASSERT_OK(node.Append(
        1, {.hard_state = raft::HardState{1, 0, index}, .entries = MakeEntries(index, 1, 1, 100)}));
    if (index % 50 == 0) {
      ASSERT_OK(node.Append(1, {.truncate_prefix = raft::SnapshotMark{index, 1, {}}}));
    }
  }
  std::map<std::string, uint64_t> ends;  // of what was written to each segment in this life
  uint64_t written = 0;
  for (const std::string& line : node.files.trace()) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] == "rename" && absl::StrContains(line, "node/wal/spare")) ends[words[3]] = 0;
    uint64_t offset = 0;
    uint64_t bytes = 0;
    if (words[0] != "write" || !absl::StrContains(words[1], "/wal/") || words.size() < 4) continue;
    if (!absl::SimpleAtoi(words[2], &offset) || !absl::SimpleAtoi(words[3].substr(1), &bytes)) {
      continue;
    }
    if (ends.count(words[1]) == 0 && words[1] != "node/wal/1.wal") continue;  // filling a spare
    EXPECT_GE(offset, ends[words[1]]) << line;
    ends[words[1]] = offset + bytes;
    written += bytes;
  }
  EXPECT_GT(ends.size(), 3u);
  // Header, hard state, batch header, entry: 300 bytes a round, and what a segment begins with.
  EXPECT_LT(written, 2 * kRounds * 300u);
}

// E64: the reference's log only grew.
TEST(Wal, LogBounded) {
  Node node(1);
  ASSERT_OK(node.Open());
  size_t segments_max = 0;
  for (raft::Index index = 1; index <= 2000; ++index) {
    ASSERT_OK(node.Append(1, {.entries = MakeEntries(index, 1, 1, 200)}));
    if (index % 20 == 0) {
      ASSERT_OK(node.Append(1, {.truncate_prefix = raft::SnapshotMark{index - 10, 1, {}}}));
    }
    segments_max = std::max(segments_max, node.wal->segment_count());
  }
  EXPECT_LE(segments_max, 3u);
  EXPECT_LE(node.files.Tree().size(), 2000u) << node.files.Tree();
  ASSERT_OK(node.Reboot());
  EXPECT_EQ(node.wal->Find(1)->first_index, 1991u);
  EXPECT_EQ(node.wal->Find(1)->last_index, 2000u);
}

TEST(Wal, SegmentsAreUsedAgain) {  // E111
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  node.files.Settle();
  for (raft::Index index = 1; index <= 1000; ++index) {
    ASSERT_OK(node.Append(1, {.entries = MakeEntries(index, 1, 1, 200)}));
    const raft::Index mark = index > 3 ? index - 3 : 0;
    ASSERT_OK(node.Append(1, {.truncate_prefix = raft::SnapshotMark{mark, 1, {}}}));
  }
  // A few files serve for ever: no file is made any more.
  size_t made = 0;
  for (const std::string& line : node.files.trace()) {
    if (absl::StartsWith(line, "create temporary")) ++made;
  }
  EXPECT_LE(made, 2u);
  EXPECT_GT(CountTraced(node, "rename"), 20u);
}

TEST(Wal, ASlowGroupDoesNotHoldTheLog) {  // E115
  Node node(1);
  ASSERT_OK(node.Open());
  const std::vector<raft::Entry> slow = MakeEntries(1, 5, 1, 100);
  ASSERT_OK(node.Append(1, {.hard_state = raft::HardState{1, 2, 3}, .entries = slow}));
  size_t segments_max = 0;
  for (raft::Index index = 1; index <= 2000; ++index) {
    ASSERT_OK(node.Append(2, {.entries = MakeEntries(index, 1, 1, 200)}));
    if (index == 700) {
      ASSERT_OK(node.Append(1, {.entries = MakeEntries(6, 1, 2)}));
    }
    if (index % 20 == 0) {
      ASSERT_OK(node.Append(2, {.truncate_prefix = raft::SnapshotMark{index, 1, {}}}));
    }
    segments_max = std::max(segments_max, node.wal->segment_count());
  }
  EXPECT_LE(segments_max, kOldSegmentsMax + 3);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(node.wal->Find(1)->hard_state, (raft::HardState{1, 2, 3}));
    EXPECT_THAT(node.wal->Read(1, 1, 5, UINT64_MAX), IsOkAndHolds(slow));
    EXPECT_THAT(node.wal->Read(1, 6, 6, UINT64_MAX), IsOkAndHolds(MakeEntries(6, 1, 2)));
    ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  }
}

TEST(Wal, ABusyGroupThatIsBehindKeepsItsEntries) {  // E115: copying it would not help
  Node node(1);
  ASSERT_OK(node.Open());
  for (raft::Index index = 1; index <= 800; ++index) {
    ASSERT_OK(node.Append(1, {.entries = MakeEntries(index, 1, 1, 200)}));
  }
  EXPECT_GT(node.wal->segment_count(), kOldSegmentsMax + 3);
  ASSERT_OK_AND_ASSIGN(const auto entries, node.wal->Read(1, 1, 800, UINT64_MAX));
  EXPECT_EQ(entries, MakeEntries(1, 800, 1, 200));
}

TEST(DurableLog, ASegmentThatIsBeingReadIsNotFree) {  // E106, E111
  DurableLog log;
  auto first = std::make_shared<Segment>();
  first->number = 1;
  auto second = std::make_shared<Segment>();
  second->number = 2;
  log.AddSegment(first);
  EXPECT_EQ(log.FindFreeSegment(), std::nullopt);  // the last one
  log.AddSegment(second);
  EXPECT_EQ(log.FindFreeSegment(), std::nullopt);  // `first` stands for a reader
  first = nullptr;
  EXPECT_EQ(log.FindFreeSegment(), 1u);
}

}  // namespace
}  // namespace slipway::eraft::wal
