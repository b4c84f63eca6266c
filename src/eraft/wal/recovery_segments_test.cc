// Recovery of a log of several segments, some of which are damaged or gone.
#include <algorithm>
#include <string>
#include <vector>

#include "eraft/wal/recovery.h"
#include "eraft/wal/scan.h"
#include "eraft/wal/test_damage.h"
#include "eraft/wal/test_wal.h"

namespace slipway::eraft::wal {
namespace {

using absl::StatusCode;
using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

class ManySegments : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(node_.Open());
    for (raft::Index index = 1; index <= 150; ++index) {
      ASSERT_OK(node_.Append(1, {.entries = MakeEntries(index, 1, 1, 300)}));
    }
    ASSERT_GE(node_.wal->segment_count(), 4u);
    node_.wal.reset();
    ForgetHard(node_);
  }
  Node node_{1};
};

TEST_F(ManySegments, AMissingSegmentIsFound) {
  ASSERT_OK_AND_ASSIGN(const auto dir, node_.files.OpenRoot("/node"));
  ASSERT_OK(dir->Remove("wal/2.wal"));
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("are missing")));
}

TEST_F(ManySegments, ACutSegmentIsFound) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{100}, uint64_t{4096}, uint64_t{9000}}) {
    base::sim::Files whole = node_.files;
    {
      ASSERT_OK_AND_ASSIGN(const auto dir, node_.files.OpenRoot("/node"));
      ASSERT_OK_AND_ASSIGN(const auto file, dir->Open("wal/2.wal", {.write = true}));
      ASSERT_OK(file->Truncate(size));
    }
    EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("2.wal"))) << size;
    node_.files = whole;
  }
}

TEST_F(ManySegments, ABadHeaderInTheMiddleIsDamageAndTheRestIsRead) {
  base::Bytes bytes = ReadSegment(node_, "/node/wal/2.wal");
  bytes[20] ^= 4;
  Plant(node_, bytes, "wal/2.wal");
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("no segment header")));
  // What of it can be linked by its CRCs is there.
  ASSERT_OK_AND_ASSIGN(const auto dir, node_.dir->OpenDir("wal"));
  ASSERT_OK_AND_ASSIGN(const LogImage image, ReadLog(*dir, {}));
  EXPECT_EQ(image.index.Find(1)->last_index(), 150u);
  ASSERT_FALSE(image.report.damages.empty());
  EXPECT_EQ(image.report.damages[0].offset, 0u);
}

// A log of three segments in which group 1 has an entry of 500 bytes after the other.
class ThreeSegments : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(node_.Open());
    node_.Run();
    ASSERT_OK(node_.Append(1, {.hard_state = raft::HardState{1, 1, 0}}));
    while (node_.wal->segment_count() < 3) {
      ASSERT_OK(node_.Append(1, {.entries = MakeEntries(next_++, 1, 1, 500)}));
    }
    ASSERT_OK(node_.Append(1, {.entries = MakeEntries(next_++, 1, 1, 500)}));
    ASSERT_OK(node_.wal->Close());
    node_.wal.reset();
    node_.files.Settle();
  }
  std::vector<std::string> DamagedFiles() const {
    std::vector<std::string> files;
    for (const Damage& damage : node_.recovery.report.damages) files.push_back(damage.file);
    return files;
  }
  Node node_{1};
  raft::Index next_ = 1;
};

TEST_F(ThreeSegments, ALostHeaderOfTheLastOneIsNotPutDownToTheOneBefore) {
  ASSERT_OK(node_.files.FlipBit("/node/wal/3.wal", 30 * 8));
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("3.wal at 0")));
  EXPECT_THAT(DamagedFiles(), ::testing::Each("3.wal"));
  EXPECT_THAT(node_.recovery.report.missing, ::testing::IsEmpty());  // what can be read was read
}

TEST_F(ThreeSegments, AMissingOneIsNamedAsPossible) {
  ASSERT_OK(node_.dir->Remove("wal/2.wal"));
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss,
                                     HasSubstr("a segment is missing, and 3.wal follows")));
}

TEST_F(ThreeSegments, IndexesThatTheLogCannotHaveAreNotNamed) {
  const base::Bytes bytes = ReadSegment(node_, "/node/wal/2.wal");
  const SegmentScan scan = ScanSegment(bytes);
  const auto entries =
      std::find_if(scan.records.begin() + 4, scan.records.end(),
                   [](const RecordRef& r) { return r.header.type == RecordType::kEntries; });
  ASSERT_NE(entries, scan.records.end());
  // The fifth byte of the first index.
  ASSERT_OK(node_.files.FlipBit("/node/wal/2.wal", 8 * (entries->offset + kRecordHeaderBytes + 4)));
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss));
  ASSERT_EQ(node_.recovery.report.damages.size(), 1u);
  EXPECT_THAT(node_.recovery.report.damages[0].entries, ::testing::IsEmpty());
  EXPECT_EQ(node_.recovery.report.missing.size(), 1u);
}

TEST_F(ThreeSegments, ADamagedLogStaysAsItWasFound) {  // E113: for those who look at it later
  ASSERT_OK(node_.files.FlipBit("/node/wal/2.wal", 8 * 5000));
  ASSERT_OK(node_.files.FlipBit("/node/HARD", 8 * 12));
  const std::string before = node_.files.Tree();
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("nothing was changed")));
  EXPECT_EQ(node_.files.Tree(), before);
  EXPECT_EQ(node_.recovery.hard_copies_damaged, 1);
}

TEST_F(ThreeSegments, WithoutHardTheLogIsNotTaken) {  // E163: both copies are lost
  for (const char* name : {"HARD", "HARD.2"}) ASSERT_OK(node_.dir->Remove(name));
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("HARD is missing")));
}

TEST_F(ThreeSegments, WithoutItsDirectoryTheLogIsNotBegunAnew) {  // E113: HARD knows how far it was
  ASSERT_OK(base::RemoveTree(*node_.dir, "wal"));
  const std::string before = node_.files.Tree();
  EXPECT_THAT(node_.Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("every segment is missing")));
  EXPECT_EQ(node_.files.Tree(), before);
}

}  // namespace
}  // namespace slipway::eraft::wal
