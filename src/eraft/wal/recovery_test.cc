// Recovery of a damaged log: each torn boundary (E407) and each flipped byte (E406).
#include "eraft/wal/recovery.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "eraft/wal/scan.h"
#include "eraft/wal/test_damage.h"
#include "eraft/wal/test_wal.h"

namespace slipway::eraft::wal {
namespace {

using absl::StatusCode;
using base::sim::Loss;
using ::slipway::base::testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr size_t kSectorBytes = 512;

uint64_t UsedBytes(base::BytesView segment) { return ScanSegment(segment).end_offset; }

// A batch of each record type, whose payload spans several sectors where it can.
std::map<std::string, Batch> BatchOfEachType() {
  raft::Membership large;
  for (raft::NodeId id = 1; id <= 150; ++id) large.voters.push_back(id);
  const raft::SnapshotMark mark{.index = 2, .term = 1, .membership = large};
  std::map<std::string, Batch> batches;
  batches["entries"].entries = MakeEntries(5, 4, 2, 500);
  batches["hard state"].hard_state = raft::HardState{9, 3, 4};
  batches["truncate prefix"].truncate_prefix = mark;
  batches["truncate suffix"].truncate_suffix_from = 3;
  batches["snapshot intent"].snapshot_intent = SnapshotIntent{mark, std::string(900, 'd')};
  batches["snapshot done"].snapshot_done = SnapshotDone{2, 1};
  batches["membership"].membership = MembershipCopy{4, large};
  batches["group gone"].remove_group = true;
  batches["all"] = Batch{.hard_state = raft::HardState{9, 3, 4},
                         .truncate_suffix_from = 4,
                         .entries = MakeEntries(4, 3, 2, 400),
                         .membership = MembershipCopy{4, large},
                         .snapshot_intent = SnapshotIntent{mark, "x"},
                         .truncate_prefix = mark};
  return batches;
}

// All states between before and after the batch: it is cut at a record or not at all.
std::vector<LogModel> StatesWithin(const LogModel& before, const Batch& batch) {
  std::vector<LogModel> states = {before};
  LogModel state = before;
  const auto step = [&](const Batch& part) {
    ApplyTo(state, 1, part);
    states.push_back(state);
  };
  if (batch.hard_state) step({.hard_state = batch.hard_state});
  if (batch.truncate_suffix_from) step({.truncate_suffix_from = batch.truncate_suffix_from});
  if (!batch.entries.empty()) step({.entries = batch.entries});
  if (batch.truncate_prefix) step({.truncate_prefix = batch.truncate_prefix});
  if (batch.remove_group) step({.remove_group = true});
  return states;
}

TEST(Recovery, TornAtEachSectorOfEachRecordTypeGivesAPrefix) {  // E407
  for (const auto& [name, batch] : BatchOfEachType()) {
    Node node(1, 64 * base::kKiB);
    ASSERT_OK(node.Open());
    node.Run();
    ASSERT_OK(node.Append(
        1, {.hard_state = raft::HardState{1, 1, 0}, .entries = MakeEntries(1, 4, 1, 100)}));
    const LogModel before = ModelOf(*node.wal);
    const base::Bytes old_bytes = ReadSegment(node);
    node.files.Settle();
    ASSERT_OK(node.Append(1, batch));
    const base::Bytes new_bytes = ReadSegment(node);
    node.wal.reset();
    ForgetHard(node);
    const std::vector<LogModel> states = StatesWithin(before, batch);
    const size_t begin = UsedBytes(old_bytes) / kSectorBytes * kSectorBytes;
    const size_t end = UsedBytes(new_bytes);
    ASSERT_GT(end, UsedBytes(old_bytes)) << name;
    const base::sim::Files whole = node.files;
    const size_t sectors = (end - begin + kSectorBytes - 1) / kSectorBytes;
    // The first k sectors; all but the first k; all but the one.
    for (size_t k = 0; k <= sectors; ++k) {
      for (int how = 0; how < 3; ++how) {
        base::Bytes torn = old_bytes;
        for (size_t s = 0; s < sectors; ++s) {
          const bool kept = how == 0 ? s < k : how == 1 ? s >= k : s != k;
          if (!kept) continue;
          const size_t at = begin + s * kSectorBytes;
          std::copy_n(new_bytes.begin() + static_cast<std::ptrdiff_t>(at), kSectorBytes,
                      torn.begin() + static_cast<std::ptrdiff_t>(at));
        }
        node.wal.reset();
        node.files = whole;
        Plant(node, torn);
        ASSERT_OK(node.Reboot()) << name << ", sector " << k << ", " << how;
        EXPECT_THAT(states, Contains(ModelOf(*node.wal))) << name << ", sector " << k;
        EXPECT_TRUE(torn != new_bytes || states.back() == ModelOf(*node.wal)) << name;
        // The cut end is not in the way of what comes next.
        ASSERT_OK(node.Append(2, {.entries = MakeEntries(1, 2, 1, 300)}));
        const LogModel then = ModelOf(*node.wal);
        ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced)) << name << ", sector " << k;
        EXPECT_TRUE(ModelOf(*node.wal) == then) << name << ", sector " << k;
      }
    }
  }
}

struct SmallLog {
  Node node;
  std::vector<LogModel> states;  // after each batch
  uint64_t last_batch_begin = 0;
  uint64_t end = 0;
  base::Bytes bytes;

  SmallLog() : node(1) {
    EXPECT_OK(node.Open());
    node.Run();
    const auto add = [this](const Batch& batch) {
      EXPECT_OK(node.Append(1, batch));
      states.push_back(ModelOf(*node.wal));
    };
    add({.hard_state = raft::HardState{1, 2, 0}, .entries = MakeEntries(1, 3)});
    add({.entries = MakeEntries(4, 2, 2)});
    add({.membership = MembershipCopy{4, {.voters = {1, 2}}}});
    add({.hard_state = raft::HardState{2, 1, 4}, .entries = MakeEntries(6, 1, 2, 60)});
    node.wal.reset();
    ForgetHard(node);
    bytes = ReadSegment(node);
    const SegmentScan scan = ScanSegment(bytes);
    last_batch_begin = scan.last_batch_offset;
    end = scan.end_offset;
  }
};

// Below the durable watermark each flip is found; behind it a flip may cut the last batch, never
// more, and never changes what is read.
TEST(Recovery, EachFlippedByteIsFoundOrCutsOnlyTheUnsyncedEnd) {  // E406
  SmallLog log;
  const base::sim::Files whole = log.node.files;
  ASSERT_LT(log.end, 6000u);
  for (uint64_t at = 0; at < log.end; ++at) {
    for (const uint8_t mask : {uint8_t{0x01}, uint8_t{0x80}}) {
      base::Bytes flipped = log.bytes;
      flipped[at] ^= mask;
      log.node.wal.reset();
      log.node.files = whole;
      Plant(log.node, flipped);
      const absl::Status opened = log.node.Open();
      if (at < log.last_batch_begin) {
        EXPECT_FALSE(opened.ok()) << "byte " << at;
        // A version byte makes it the log of another program; all else is damage.
        if (!absl::IsFailedPrecondition(opened)) {
          EXPECT_THAT(opened, StatusIs(StatusCode::kDataLoss, HasSubstr("1.wal"))) << at;
          EXPECT_FALSE(log.node.recovery.report.empty()) << at;
        }
        // Nothing was cut: the bytes are as they were.
        EXPECT_TRUE(ReadSegment(log.node) == flipped) << at;
      } else {
        ASSERT_OK(opened) << "byte " << at;
        const std::vector<LogModel> states = {
            log.states[2], log.states[3],
            StatesWithin(log.states[2], {.hard_state = raft::HardState{2, 1, 4}}).back()};
        EXPECT_THAT(states, Contains(ModelOf(*log.node.wal))) << "byte " << at;
      }
    }
  }
}

TEST(Recovery, SaysHowMuchOfABatchIsTorn) {
  SmallLog log;
  base::Bytes torn = log.bytes;
  torn[log.end - 20] ^= 1;  // in its last record
  Plant(log.node, torn);
  ASSERT_OK(log.node.Open());
  EXPECT_GT(log.node.recovery.torn_bytes, 60u);
  EXPECT_LT(log.node.recovery.torn_bytes, 200u);
  ASSERT_OK(log.node.Open());
  EXPECT_EQ(log.node.recovery.torn_bytes, 0u);
}

// A batch of which a crash left a part announces more than is there. What is written behind that
// part must not pass for what the first batch lacks.
TEST(Recovery, TwoCrashesInTheSamePlaceAreNoDamage) {
  Node node(1, 64 * base::kKiB);
  ASSERT_OK(node.Open());
  node.Run();
  const auto append_together = [&node](raft::GroupId groups) {
    for (raft::GroupId group = 1; group <= groups; ++group) {
      ASSERT_OK(node.wal->Append(group, {.entries = MakeEntries(1, 1)}, nullptr));
    }
    node.Run();
    node.wal.reset();
    ForgetHard(node);
  };
  append_together(6);
  base::Bytes bytes = ReadSegment(node);
  const SegmentScan first = ScanSegment(bytes);
  const uint64_t kept = first.records[first.records.size() - 4].offset;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), uint8_t{0});
  Plant(node, bytes);
  ASSERT_OK(node.Open());
  ASSERT_EQ(node.wal->Groups().size(), 2u);
  append_together(20);
  bytes = ReadSegment(node);
  const SegmentScan second = ScanSegment(bytes);
  ASSERT_GE(second.last_batch_offset, kept);
  // The header of the second is lost, its records are there.
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(second.last_batch_offset), 56,
              uint8_t{0});
  Plant(node, bytes);
  ASSERT_OK(node.Open());
  EXPECT_EQ(node.wal->Groups().size(), 2u);
}

// What the second copy of the hard states says of the log makes even its last batch provable.
TEST(Recovery, HardFindsALostEnd) {  // E113, E163
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  const base::Bytes before = ReadSegment(node);
  ASSERT_OK(node.Append(1, {.hard_state = raft::HardState{1, 2, 0}}));
  node.wal.reset();
  Plant(node, before);  // a disk that forgot what it had promised
  EXPECT_THAT(node.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("damaged where it had been")));
  ASSERT_EQ(node.recovery.report.damages.size(), 1u);
  EXPECT_EQ(node.recovery.report.damages[0].last_sequence, 3u);
}

TEST(Recovery, TheReportNamesExactlyWhatIsBad) {  // E113, for E166
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 3)}));
  ASSERT_OK(node.Append(2, {.entries = MakeEntries(1, 5)}));
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(4, 3)}));
  ASSERT_OK(node.Append(2, {.entries = MakeEntries(6, 2)}));
  node.wal.reset();
  base::Bytes bytes = ReadSegment(node);
  // One byte of group 2's entry 3.
  const std::string needle = "e3.1:d";
  const auto second =
      std::search(std::search(bytes.begin(), bytes.end(), needle.begin(), needle.end()) + 1,
                  bytes.end(), needle.begin(), needle.end());
  ASSERT_NE(second, bytes.end());
  *second ^= 1;
  Plant(node, bytes);
  EXPECT_THAT(node.Open(), StatusIs(StatusCode::kDataLoss));
  const DamageReport& report = node.recovery.report;
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].file, "1.wal");
  EXPECT_EQ(report.damages[0].first_sequence, report.damages[0].last_sequence);
  EXPECT_EQ(report.damages[0].entries, (std::vector<DamagedEntries>{{2, {3, 3}}}));
  // The record is lost as a whole; the rest of the log was read.
  EXPECT_EQ(report.missing, (std::vector<DamagedEntries>{{2, {1, 5}}}));
  EXPECT_THAT(report.Text(), HasSubstr("group 2: entries 3 to 3 are damaged"));
  ASSERT_OK_AND_ASSIGN(const auto dir, node.dir->OpenDir("wal"));
  ASSERT_OK_AND_ASSIGN(const LogImage image, ReadLog(*dir, {}));
  EXPECT_EQ(image.index.Find(1)->last_index(), 6u);
  EXPECT_EQ(image.index.Find(2)->last_index(), 7u);
}

TEST(Recovery, ASegmentThatWasOnlyNamedIsRemoved) {
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 3)}));
  node.wal.reset();
  {
    ASSERT_OK_AND_ASSIGN(const auto dir, node.files.OpenRoot("/node"));
    ASSERT_OK(base::WriteFileDurably(*dir, "wal/9.wal", std::string(16384, '\0')));
  }
  ASSERT_OK(node.Open());
  EXPECT_FALSE(node.files.Exists("/node/wal/9.wal"));
  EXPECT_EQ(node.wal->Find(1)->last_index, 3u);
}

TEST(Recovery, ASpareOfTheWrongSizeIsMadeAnew) {
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  {
    ASSERT_OK_AND_ASSIGN(const auto file, node.dir->Open("wal/spare.wal", {.write = true}));
    ASSERT_OK(file->Truncate(100));
  }
  ASSERT_OK(node.Open());
  node.Run();
  ASSERT_OK_AND_ASSIGN(const base::Meta meta, node.dir->Stat("wal/spare.wal"));
  EXPECT_EQ(meta.size_bytes, kSegmentBytesMin);
}

TEST(Recovery, ALogOfANewerVersionIsRefusedByName) {
  Node node(1);
  ASSERT_OK(node.Open());
  node.wal.reset();
  base::Bytes header(kSegmentHeaderBytes);
  EncodeSegmentHeader({1, 1, 1, kTestCluster}, header.data());
  header[7] = '2';
  const uint32_t crc =
      base::Crc32c(base::BytesView(header).subspan(52), base::Crc32c({header.data(), 48}));
  base::StoreLittle(header.data() + 48, crc);
  Plant(node, header);
  EXPECT_THAT(node.Open(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("ERWAL002")));
}

// A user's value may hold anything, also bytes that look like a log that goes on.
TEST(Recovery, AValueThatLooksLikeALogProvesNothing) {
  BatchBuilder fake;
  fake.Add(1, {.hard_state = raft::HardState{1, 1, 1}});
  fake.Add(1, {.hard_state = raft::HardState{1, 1, 1}});
  const BatchBuilder::Built built =
      fake.Finish({.sequence = 1'000'000, .epoch_low = 1, .durable_sequence = 999'999});
  const std::string value =
      absl::StrCat(std::string(1000, 'x'), base::AsText(built.bytes));  // on a multiple of 8
  Node node(3);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 1)}));
  ASSERT_OK(node.Append(1, {.entries = {MakeEntry(2, 1, value)}}));
  node.wal.reset();
  ForgetHard(node);
  base::Bytes bytes = ReadSegment(node);
  const SegmentScan scan = ScanSegment(bytes);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(scan.last_batch_offset), kSectorBytes,
              uint8_t{0});
  Plant(node, bytes);
  ASSERT_OK(node.Open());
  EXPECT_EQ(node.wal->Find(1)->last_index, 1u);
}

// What a crash left of a batch is gone before the next one is written over a part of it.
TEST(Recovery, TheRestOfATornBatchIsOverwritten) {
  Node node(1, 64 * base::kKiB);
  ASSERT_OK(node.Open());
  node.Run();
  for (raft::GroupId group = 1; group <= 20; ++group) {
    ASSERT_OK(node.wal->Append(group, {.entries = MakeEntries(1, 1)}, nullptr));
  }
  node.Run();
  node.wal.reset();
  ForgetHard(node);
  base::Bytes bytes = ReadSegment(node);
  const uint64_t torn_at = ScanSegment(bytes).last_batch_offset;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(torn_at), 56, uint8_t{0});
  Plant(node, bytes);
  ASSERT_OK(node.Open());
  EXPECT_GT(node.recovery.torn_bytes, 1000u);
  bytes = ReadSegment(node);
  const uint64_t end = ScanSegment(bytes).end_offset;
  EXPECT_EQ(std::count(bytes.begin() + static_cast<std::ptrdiff_t>(end), bytes.end(), uint8_t{0}),
            static_cast<std::ptrdiff_t>(bytes.size() - end));
}

}  // namespace
}  // namespace slipway::eraft::wal
