#include "eraft/wal/format.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_split.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/scan.h"
#include "eraft/wal/test_wal.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft::wal {
namespace {

using absl::StatusCode;
using ::slipway::base::testing::StatusIs;

// The examples of docs/formats/eraft-wal.md, in order.
std::vector<base::Bytes> Examples() {
  std::ifstream in(SLIPWAY_TEST_SOURCE_DIR "/../../../docs/formats/eraft-wal.md");
  std::stringstream page;
  page << in.rdbuf();
  std::vector<base::Bytes> examples;
  std::vector<std::string> blocks = absl::StrSplit(page.str(), "```hex\n");
  for (size_t i = 1; i < blocks.size(); ++i) {
    std::string hex;
    for (const absl::string_view line :
         absl::StrSplit(blocks[i].substr(0, blocks[i].find("```")), '\n')) {
      for (const char c : line.substr(0, line.find('#'))) {
        if (c != ' ') hex.push_back(c);
      }
    }
    examples.push_back(base::FromHex(hex).value());
  }
  return examples;
}

TEST(Format, TheExampleOfTheDocumentIsWhatTheCodeReadsAndWrites) {  // S12
  const std::vector<base::Bytes> examples = Examples();
  ASSERT_EQ(examples.size(), 3u);

  base::Bytes segment(kSegmentHeaderBytes);
  const SegmentHeader header{.epoch = 2, .number = 1, .first_sequence = 1, .cluster = kTestCluster};
  const uint32_t seed = EncodeSegmentHeader(header, segment.data());
  EXPECT_EQ(base::ToHex(base::BytesView(segment).subspan(0, examples[0].size())),
            base::ToHex(examples[0]));

  BatchBuilder builder;
  builder.Add(7, {.hard_state = raft::HardState{1, 2, 0}, .entries = {MakeEntry(1, 1, "slipway")}});
  const BatchBuilder::Built built =
      builder.Finish({.offset = kSegmentHeaderBytes, .sequence = 1, .epoch_low = 2, .seed = seed});
  EXPECT_EQ(base::ToHex(built.bytes), base::ToHex(examples[1]));

  base::Bytes read(kSegmentHeaderBytes);
  std::copy(examples[0].begin(), examples[0].end(), read.begin());
  read.insert(read.end(), examples[1].begin(), examples[1].end());
  const SegmentScan scan = ScanSegment(read);
  ASSERT_OK(scan.header_status);
  EXPECT_EQ(scan.header.header, header);
  ASSERT_EQ(scan.records.size(), 3u);
  EXPECT_EQ(scan.end_offset, read.size());
  const auto entries = ParseEntries(nullptr, scan.records[2].payload, 1, 1);
  ASSERT_OK(entries);
  EXPECT_EQ(base::AsText(entries->at(0).payload.view()), "slipway");

  const HardCopies hard{.durable_sequence = 3, .groups = {{7, {1, 2, 0}}}};
  EXPECT_EQ(base::ToHex(EncodeTwoCopy({5, EncodeHard(hard)})), base::ToHex(examples[2]));
}

TEST(Format, NamesOfSegmentsAreExact) {
  EXPECT_EQ(SegmentName(12), "12.wal");
  EXPECT_EQ(ParseSegmentName("12.wal"), 12u);
  for (const char* name : {"spare.wal", "012.wal", "+1.wal", "1.wal2", "1", ".wal", "-1.wal",
                           "99999999999999999999.wal"}) {
    EXPECT_EQ(ParseSegmentName(name), std::nullopt) << name;
  }
}

TEST(Format, EachBitOfAHeaderCounts) {  // E163
  base::Bytes bytes(kSegmentHeaderBytes);
  EncodeSegmentHeader({3, 4, 5, kTestCluster}, bytes.data());
  ASSERT_OK(DecodeSegmentHeader(bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 0x10;
    EXPECT_FALSE(DecodeSegmentHeader(bytes).ok()) << i;
    bytes[i] ^= 0x10;
  }
  EXPECT_THAT(DecodeSegmentHeader(base::BytesView(bytes).subspan(0, 4095)),
              StatusIs(StatusCode::kDataLoss));
}

TEST(Batches, AreTheSameInABufferThatWasUsed) {
  const std::vector<raft::Entry> entries = {MakeEntry(4, 2, "short"),
                                            MakeEntry(5, 2, std::string(100'003, 'l'))};
  const auto build = [&](base::Bytes buffer) {
    BatchBuilder builder(std::move(buffer));
    builder.Add(3, {.hard_state = raft::HardState{1, 2, 0}, .entries = entries});
    builder.Add(4, {.snapshot_intent = SnapshotIntent{{9, 8, {}}, "odd"}});
    return builder.Finish({.offset = 4096, .sequence = 10, .seed = 5});
  };
  const BatchBuilder::Built fresh = build({});
  for (const size_t bytes : {10, 1000, 200'000}) {
    const BatchBuilder::Built again = build(base::Bytes(bytes, 0xA5));
    EXPECT_TRUE(again.bytes == fresh.bytes) << bytes;
    EXPECT_EQ(again.crc, fresh.crc);
  }
  // The sum of a long entry, taken over from it, is the one that a reader reckons from the bytes.
  for (const RecordRef& ref : fresh.records) {
    const base::BytesView record =
        fresh.bytes.subspan(ref.offset - 4096, RecordBytes(ref.header.length));
    EXPECT_EQ(RecordCrc(record, ref.seed), ref.header.crc);
  }
}

TEST(Format, EveryRecordTypeComesBack) {
  const raft::Membership members{
      .voters = {1, 2}, .outgoing = {3}, .learners = {4, 5}, .learners_next = {6}};
  const raft::SnapshotMark mark{.index = 9, .term = 8, .membership = members};
  const std::vector<raft::Entry> entries = {
      MakeEntry(4, 2, "", raft::EntryKind::kNoop), MakeEntry(5, 2, "x"),
      MakeEntry(6, 3, "yy", raft::EntryKind::kMembership), MakeEntry(7, 5, std::string(3, '\0'))};
  const Batch batch{.hard_state = raft::HardState{7, 6, 5},
                    .truncate_suffix_from = 3,
                    .entries = entries,
                    .membership = MembershipCopy{2, members},
                    .snapshot_intent = SnapshotIntent{mark, "detail"},
                    .truncate_prefix = mark,
                    .snapshot_done = SnapshotDone{9, 8, true},
                    .remove_group = true};
  BatchBuilder builder;
  const uint64_t before = builder.bytes();
  builder.Add(3, batch);
  EXPECT_EQ(builder.bytes() - before, EncodedBytes(batch));
  builder.AddLastEntry(3, 12);
  const BatchBuilder::Built built = builder.Finish({.sequence = 10, .durable_sequence = 9});
  ASSERT_EQ(built.records.size(), 10u);
  const auto payload = [&](size_t i) { return built.records[i].payload; };
  const auto header = ParseBatchHeader(payload(0));
  ASSERT_OK(header);
  EXPECT_EQ(header->records, 9u);
  EXPECT_EQ(header->bytes, built.bytes.size());
  EXPECT_EQ(header->durable_sequence, 9u);
  EXPECT_EQ(*ParseHardState(payload(1)), *batch.hard_state);
  EXPECT_EQ(*ParseIndex(payload(2)), 3u);
  EXPECT_EQ(*ParseEntries(nullptr, payload(3), 4, 7), entries);
  EXPECT_EQ(ParseEntries(nullptr, payload(3), 5, 6)->size(), 2u);
  EXPECT_FALSE(ParseEntries(nullptr, payload(3), 5, 8).ok());
  EXPECT_EQ(*ParseMembership(payload(4)), *batch.membership);
  EXPECT_EQ(*ParseIntent(payload(5)), *batch.snapshot_intent);
  EXPECT_EQ(*ParseMark(payload(6)), mark);
  EXPECT_TRUE(ParseDone(payload(7), built.records[7].header.flags)->discarded);
  EXPECT_EQ(built.records[8].header.flags, kFlagGone);
  EXPECT_EQ(built.records[9].header.type, RecordType::kLastEntry);
  EXPECT_EQ(*ParseIndex(payload(9)), 12u);
  for (const RecordRef& record : built.records) EXPECT_EQ(record.offset % kRecordAlignBytes, 0u);
}

}  // namespace
}  // namespace slipway::eraft::wal
