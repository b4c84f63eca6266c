// eraftctl in process, over logs on a simulated disk.
#include "eraft/cli/eraftctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/digest/crc32c.h"
#include "base/json/json.h"
#include "base/metrics/metrics.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/two_copy.h"
#include "eraft/wal/wal.h"

namespace slipway::eraft::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Result {
  int exit = 0;
  std::string out, err;
  base::Json json() const {
    const auto parsed = base::ParseJson(out);
    EXPECT_OK(parsed);
    return parsed.ok() ? *parsed : base::Json();
  }
};

class EraftCtlTest : public ::testing::Test {
 protected:
  // A node's directory /n with a log of two groups.
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const auto dir, world_.files.MakeRoot("/n"));
    base::Metrics metrics;
    wal::WalOptions options;
    options.segment_bytes = wal::kSegmentBytesMin;
    ASSERT_OK_AND_ASSIGN(
        const auto log,
        wal::Wal::Open(options, {*dir, world_.pool, world_.pool, world_.clock, metrics}, nullptr));
    Append(*log, 1, {.hard_state = raft::HardState{3, 2, 1}, .entries = {Entry(1), Entry(2)}});
    Append(*log, 70, {.entries = {Entry(1)}});
    Append(*log, 70, {.truncate_prefix = raft::SnapshotMark{1, 1, {}}});
    ASSERT_OK(log->Close());
    world_.files.Settle();
  }
  raft::Entry Entry(raft::Index index) {
    raft::Entry entry;
    entry.index = index;
    entry.term = 1;
    entry.payload = raft::Slice(base::Bytes(30, 'p'));
    entry.payload_crc = base::Crc32c(entry.payload.view());
    return entry;
  }
  void Append(wal::Wal& log, raft::GroupId group, wal::Batch batch) {
    ASSERT_OK(log.Append(group, std::move(batch), [](const absl::Status& s) { EXPECT_OK(s); }));
    world_.pool.RunAll();
  }
  void Flip(absl::string_view path, uint64_t at) {
    ASSERT_OK_AND_ASSIGN(const auto dir, world_.files.OpenRoot("/n"));
    ASSERT_OK_AND_ASSIGN(const auto file, dir->Open(path, {.write = true}));
    uint8_t byte = 0;
    ASSERT_OK(file->ReadAt(at, absl::MakeSpan(&byte, 1)));
    byte ^= 1;
    ASSERT_OK(file->WriteAt(at, base::BytesView(&byte, 1)));
    world_.files.Settle();
  }
  Result Run(absl::string_view line) {
    std::istringstream in;
    std::ostringstream out, err;
    base::cli::Streams streams{in, out, err};
    EraftCtl tool("1.2.3");
    Result result;
    const std::vector<std::string> args = absl::StrSplit(line, ' ');
    result.exit = tool.program().Run(args, streams, world_.world());
    result.out = out.str();
    result.err = err.str();
    EXPECT_THAT(world_.files.trace(), IsEmpty());  // they only read
    return result;
  }
  base::sim::World world_{1};
};

TEST_F(EraftCtlTest, VerifySaysThatALogIsWhole) {  // E116
  const Result result = Run("wal verify /n");
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("1 segments"));
  EXPECT_THAT(result.out, HasSubstr("whole"));
  const Result json = Run("wal verify /n/wal --json");
  EXPECT_EQ(json.exit, 0);
  EXPECT_EQ(*json.json().Find("state")->AsString(), "whole");
}

TEST_F(EraftCtlTest, VerifyNamesDamageAndExitsWithFour) {  // E116, spec 6.3
  Flip("wal/1.wal", 4096 + 250);
  const Result result = Run("wal verify /n");
  EXPECT_EQ(result.exit, 4);
  EXPECT_THAT(result.err, AllOf(HasSubstr("1.wal at"), HasSubstr("rebuild this replica")));
  const Result json = Run("wal verify /n --json");
  EXPECT_EQ(json.exit, 4);
  EXPECT_THAT(json.out, HasSubstr("\"damages\""));
}

TEST_F(EraftCtlTest, VerifySeesADamagedCopyOfHard) {  // E163
  Flip("HARD", 3);
  const Result one = Run("wal verify /n");
  EXPECT_EQ(one.exit, 0);
  EXPECT_THAT(one.err, HasSubstr("HARD: 1 copy is damaged"));
  Flip("HARD.2", 3);
  const Result both = Run("wal verify /n");
  EXPECT_EQ(both.exit, 4);
  EXPECT_THAT(both.err, HasSubstr("HARD: 2 copies are damaged"));
}

TEST_F(EraftCtlTest, VerifyMissesHard) {  // E163
  ASSERT_OK_AND_ASSIGN(const auto dir, world_.files.OpenRoot("/n"));
  for (const char* name : {"HARD", "HARD.2"}) ASSERT_OK(dir->Remove(name));
  world_.files.Settle();
  const Result result = Run("wal verify /n");
  EXPECT_EQ(result.exit, 4);
  EXPECT_THAT(result.err, HasSubstr("HARD: no copy is there"));
  EXPECT_EQ(Run("wal verify /n/wal").exit, 0);  // the segments alone
}

TEST_F(EraftCtlTest, VerifyMissesALogThatIsGone) {  // E113
  ASSERT_OK_AND_ASSIGN(const auto dir, world_.files.OpenRoot("/n"));
  ASSERT_OK(base::RemoveTree(*dir, "wal"));
  world_.files.Settle();
  const Result result = Run("wal verify /n");
  EXPECT_EQ(result.exit, 4);
  EXPECT_THAT(result.err, HasSubstr("every segment is missing"));
}

TEST_F(EraftCtlTest, VerifyNamesTheFileThatTheNextStartRemoves) {
  ASSERT_OK_AND_ASSIGN(const auto dir, world_.files.OpenRoot("/n/wal"));
  ASSERT_OK(base::WriteFileDurably(*dir, "9.wal", "no segment", 0600));
  world_.files.Settle();
  const Result result = Run("wal verify /n");
  EXPECT_EQ(result.exit, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("torn"), HasSubstr("9.wal was never begun")));
  EXPECT_THAT(result.out, Not(HasSubstr("0 bytes")));
  EXPECT_EQ(Run("wal verify /n --json").json().Find("strays")->AsArray()->size(), 1u);
}

TEST_F(EraftCtlTest, ALogOfAnotherClusterIsNotCalledWhole) {  // E11
  ASSERT_OK_AND_ASSIGN(const auto dir, world_.files.OpenRoot("/n"));
  wal::Identity identity;
  identity.cluster[0] = 1;
  ASSERT_OK(wal::TwoCopyFile::Create(*dir, wal::kIdentityName, wal::EncodeIdentity(identity)));
  world_.files.Settle();
  const Result result = Run("wal verify /n");
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.err, HasSubstr("it belongs to cluster"));
}

TEST_F(EraftCtlTest, EachVerbCallsDamageByItsOwnName) {
  Flip("wal/1.wal", 4096 + 250);
  EXPECT_THAT(Run("wal dump /n").err, HasSubstr("dump log: it is damaged"));
  EXPECT_THAT(Run("wal stat /n").err, HasSubstr("stat log: it is damaged"));
  EXPECT_THAT(Run("wal verify /n").err, HasSubstr("verify log: it is damaged"));
}

TEST_F(EraftCtlTest, DumpShowsRecordsInOrder) {
  const Result result = Run("wal dump /n");
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("group 1 hard-state: term 3, vote 2, commit 1\n"));
  EXPECT_THAT(result.out, HasSubstr("group 1 entries: entries 1 to 2\n"));
  EXPECT_THAT(result.out, HasSubstr("group 70 truncate-prefix: up to 1@1\n"));
  EXPECT_THAT(result.out, HasSubstr("batch: 0 records, 56 bytes, durable to"));
  const Result one = Run("wal dump /n --group 70 --json");
  EXPECT_EQ(one.json().Find("records")->AsArray()->size(), 2u) << one.out;
  const Result few = Run("wal dump /n --limit 2 --json");
  EXPECT_EQ(few.json().Find("records")->AsArray()->size(), 2u);
  EXPECT_GT(*few.json().Find("left_out")->AsInt(), 0);
}

TEST_F(EraftCtlTest, StatShowsSegmentsAndGroups) {
  const Result result = Run("wal stat /n");
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("1.wal"), HasSubstr("GROUP"), HasSubstr("state whole")));
  const base::Json json = Run("wal stat /n --json").json();
  const base::Json& group = json.Find("groups")->AsArray()->at(1);
  EXPECT_EQ(*group.Find("group")->AsInt(), 70);
  EXPECT_EQ(*group.Find("first_index")->AsInt(), 2);
}

TEST_F(EraftCtlTest, WrongUsageAndMissingLogs) {
  EXPECT_EQ(Run("wal verify").exit, 2);
  EXPECT_EQ(Run("wal verify /nowhere").exit, 1);
  ASSERT_OK(world_.files.MakeRoot("/empty"));
  world_.files.Settle();
  const Result empty = Run("wal stat /empty");
  EXPECT_EQ(empty.exit, 1);
  EXPECT_THAT(empty.err, HasSubstr("no segment"));
}

}  // namespace
}  // namespace slipway::eraft::cli
