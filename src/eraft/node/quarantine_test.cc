// What is found damaged is kept (E168).
#include "eraft/node/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/json/json.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/group_store.h"
#include "eraft/store/memory_engine.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;

class QuarantineTest : public ::testing::Test {
 protected:
  QuarantineTest() : dir_(*files_.MakeRoot("/node")) {
    EXPECT_OK(dir_->MakeDir("wal"));
    Write("wal/1.wal", "bad bytes");
  }
  void Write(absl::string_view path, absl::string_view text) {
    base::OpenOptions options;
    options.write = options.create = options.truncate = true;
    const auto file = dir_->Open(path, options);
    EXPECT_OK((*file)->WriteAt(0, base::AsBytes(text)));
  }
  absl::StatusOr<std::string> Run(absl::string_view what, std::vector<BadFile> files) {
    return Quarantine(*dir_, now_, what, "nothing", files);
  }
  base::sim::Files files_{1};
  std::unique_ptr<base::Dir> dir_;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

TEST_F(QuarantineTest, KeepsACopyOfEachBadFileAndSaysWhatIsWrongWithIt) {
  const std::vector<BadFile> bad = {{"wal/1.wal", "checksum at 4096"}, {"gone", "missing"}};
  ASSERT_OK_AND_ASSIGN(const std::string path, Run("the log is damaged", bad));
  EXPECT_EQ(path, "quarantine/20231114T221320Z");
  EXPECT_THAT(files_.Read("/node/" + path + "/wal_1.wal"), IsOkAndHolds("bad bytes"));
  ASSERT_OK_AND_ASSIGN(const std::string text, files_.Read("/node/" + path + "/report.json"));
  ASSERT_OK_AND_ASSIGN(const base::Json report, base::ParseJson(text));
  EXPECT_EQ(*report.Find("found")->Find("what")->AsString(), "the log is damaged");
  EXPECT_THAT(text, HasSubstr("checksum at 4096"));
  EXPECT_THAT(text, HasSubstr("none: "));  // of what is gone
  base::sim::Files after = files_.AfterReboot(base::sim::Loss::kLoseAllUnsynced);
  EXPECT_THAT(after.Read("/node/" + path + "/wal_1.wal"), IsOkAndHolds("bad bytes"));
  EXPECT_THAT(after.Read("/node/" + path + "/report.json"), IsOkAndHolds(text));
}

// A node that a supervisor starts again and again must not fill the disk.
TEST_F(QuarantineTest, TheSameIsKeptOnceAndOfManyTheNewest) {
  ASSERT_OK_AND_ASSIGN(const std::string first, Run("damage", {{"wal/1.wal", "why"}}));
  now_ += absl::Seconds(5);
  EXPECT_THAT(Run("damage", {{"wal/1.wal", "why"}}), IsOkAndHolds(first));
  for (size_t i = 0; i < kQuarantinesMax; ++i) {
    ASSERT_OK_AND_ASSIGN(const std::string path, Run(absl::StrCat("other ", i), {}));
    EXPECT_TRUE(files_.Exists("/node/" + path));
  }
  EXPECT_FALSE(files_.Exists("/node/" + first));
  ASSERT_OK_AND_ASSIGN(const auto folder, dir_->OpenDir(kQuarantineDir));
  ASSERT_OK_AND_ASSIGN(const auto names, NamesIn(*folder));
  EXPECT_EQ(names.size(), kQuarantinesMax);
}

TEST_F(QuarantineTest, WithoutRoomTheReportAloneIsWritten) {
  files_.SetCapacity(uint64_t{8} << 20);
  ASSERT_OK_AND_ASSIGN(const std::string path, Run("damage", {{"wal/1.wal", "why"}}));
  EXPECT_TRUE(files_.Exists("/node/" + path + "/report.json"));
  EXPECT_FALSE(files_.Exists("/node/" + path + "/wal_1.wal"));
}

TEST_F(QuarantineTest, ACopyThatIsMendedIsKept) {
  const std::string payload = "term and vote";
  ASSERT_OK(wal::TwoCopyFile::Create(*dir_, "HARD", base::AsBytes(payload)).status());
  QuarantineCopies(*dir_, now_, "HARD");
  EXPECT_FALSE(files_.Exists("/node/quarantine"));  // both are whole
  ASSERT_OK(files_.FlipBit("/node/HARD.2", 200));
  QuarantineCopies(*dir_, now_, "HARD");
  EXPECT_TRUE(files_.Exists("/node/quarantine/20231114T221320Z/HARD.2"));
  EXPECT_FALSE(files_.Exists("/node/quarantine/20231114T221320Z/HARD"));
}

TEST_F(QuarantineTest, SegmentsOfADamagedLogAreKeptAndTheErrorSaysWhere) {
  wal::DamageReport report;
  report.damages.resize(2);
  for (wal::Damage& damage : report.damages) damage.file = "1.wal";
  const absl::Status refused = absl::DataLossError("it is damaged\n");
  EXPECT_THAT(QuarantineLog(*dir_, now_, refused, report),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("quarantine/20231114T221320Z")));
  EXPECT_THAT(files_.Read("/node/quarantine/20231114T221320Z/wal_1.wal"),
              IsOkAndHolds("bad bytes"));
  const absl::Status other = absl::FailedPreconditionError("of another cluster");
  EXPECT_EQ(QuarantineLog(*dir_, now_, other, report), other);
}

TEST_F(QuarantineTest, WhatSaysWhichFilesTheEngineHasIsKept) {
  EXPECT_OK(dir_->MakeDir("kv"));
  for (const char* name : {"CURRENT", "MANIFEST-000004", "000005.sst", "000006.sst", "LOG"}) {
    Write(absl::StrCat("kv/", name), "bad bytes");
  }
  const absl::Status refused = absl::DataLossError("Corruption: in /node/kv/000005.sst");
  EXPECT_THAT(QuarantineEngine(*dir_, now_, refused),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("quarantine/20231114T221320Z")));
  ASSERT_OK_AND_ASSIGN(const auto kept, dir_->OpenDir("quarantine/20231114T221320Z"));
  EXPECT_THAT(NamesIn(*kept),
              IsOkAndHolds(::testing::ElementsAre("kv_000005.sst", "kv_CURRENT",
                                                  "kv_MANIFEST-000004", "report.json")));
  const absl::Status other = absl::ResourceExhaustedError("no room");
  EXPECT_EQ(QuarantineEngine(*dir_, now_, other), other);
}

// An engine that finds no CURRENT makes itself anew and removes the tables.
TEST_F(QuarantineTest, AnEngineIsNotBegunAnewOverTables) {
  EXPECT_OK(dir_->MakeDir("kv"));
  const auto home = MemoryHome(dir_.get());
  const GroupPlace place{dir_.get(), home.get()};
  EXPECT_OK(OpenGroupStore(place, 1, {}).status());  // as after a crash in the first start
  for (const char* table : {"kv/000005.sst", "kv/000005.ldb"}) {
    Write(table, "rows");
    EXPECT_THAT(OpenGroupStore(place, 1, {}),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("kv/CURRENT is missing")));
    EXPECT_OK(dir_->Remove(table));
  }
  Write("kv/000005.sst", "rows");
  Write("kv/CURRENT", "MANIFEST-000004");
  EXPECT_OK(OpenGroupStore(place, 1, {}).status());
}

}  // namespace
}  // namespace slipway::eraft
