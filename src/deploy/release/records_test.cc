// Journal, state and history: what is written is read back, and damage is told or passed over.
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "deploy/release/history.h"
#include "deploy/release/journal.h"
#include "deploy/release/layout.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

using base::testing::HasErrorCode;
using base::testing::HasHint;
using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ---- Journal ----

// The example of docs/formats/journal.md.
constexpr char kDocumented[] =
    R"([{"step":"BEGIN","format":1,"operation":"switch","components":[{"type":"model",)"
    R"("version":"1.0.0"}],"types":["model"],"user":"ann","host":"edge7","pid":4711,)"
    R"("command":"version switch model 1.0.0","at":"2024-01-20T10:00:00Z","generation":2},)"
    R"({"step":"GEN","generation":3},{"step":"SWITCH","links":[{"path":)"
    R"("components/model/current","from":"1.1.0","to":"1.0.0"}],"dirs":[]},{"step":"ACTIVE",)"
    R"("links":[{"path":"active","from":"generations/2","to":"generations/3"}],"dirs":[]}])";

TEST(JournalCodec, ReadsAndWritesTheDocumentedRecord) {
  const auto steps = DecodeSteps(kDocumented);
  ASSERT_THAT(steps, IsOk());
  ASSERT_THAT(*steps, SizeIs(4));
  EXPECT_EQ((*steps)[0].begin.components[0].ToString(), "model:1.0.0");
  EXPECT_EQ((*steps)[0].begin.generation, 2u);
  EXPECT_EQ((*steps)[1].generation, 3u);
  EXPECT_EQ((*steps)[2].links[0].from, "1.1.0");
  EXPECT_EQ(EncodeSteps(*steps), kDocumented);
}

TEST(JournalCodec, EveryStepComesBackAsItWas) {
  std::vector<JournalStep> steps(10);
  for (size_t i = 0; i < steps.size(); ++i) steps[i].kind = static_cast<StepKind>(i);
  steps[0].begin.at = absl::FromUnixSeconds(1'705'744'800);
  steps[3].places = {{"a", "b", true, UINT64_MAX}, {"c", "d", false, 1}};
  steps[3].dirs = {"components/model"};
  steps[4].generation = 7;
  steps[7].links = {{"/x y/\n", "", "links/model", "/x.bak"}};
  steps[8].commit.states = {{"model", base::Json::MakeObject({{"format", 1}})}};
  steps[8].commit.history = base::Json::MakeObject({{"tx", "t"}});
  const std::string text = EncodeSteps(steps);
  const auto again = DecodeSteps(text);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(EncodeSteps(*again), text);
  EXPECT_EQ((*again)[3].places[0].inode, UINT64_MAX);
  EXPECT_EQ((*again)[7].links, steps[7].links);
}

TEST(JournalCodec, WhatItDoesNotKnowIsOfANewerTool) {  // D290
  EXPECT_THAT(DecodeSteps(R"([{"step":"CHUNK"}])"), HasErrorCode("DT025"));
  EXPECT_THAT(DecodeSteps(R"([{"step":"BEGIN","format":2}])"), HasErrorCode("DT025"));
}

TEST(JournalCodec, DamageIsNamed) {
  for (const char* text :
       {"", "{}", "[1]", R"([{"step":7}])", R"([{"step":"GEN"}])",
        R"([{"step":"GEN","generation":-1}])", R"([{"step":"SWITCH","links":7}])",
        R"([{"step":"PLACE","places":[{"from":"a"}]}])", R"([{"step":"BEGIN","format":1}])"}) {
    EXPECT_FALSE(DecodeSteps(text).ok()) << text;
  }
  EXPECT_THAT(DecodeSteps(R"([{"step":"GEN"}])"), HasErrorCode("DT007"));
}

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() : files_(1) {
    dir_ = *files_.MakeRoot("/r");
    EXPECT_THAT(base::MakeDirs(*dir_, kJournalDir), IsOk());
    files_.Settle();
    begin_.begin.types = {"model"};
    begin_.begin.at = absl::UnixEpoch();
  }
  base::sim::Files files_;
  std::unique_ptr<base::Dir> dir_;
  JournalStep begin_;
};

TEST_F(JournalTest, HasAllThatWasAppended) {
  {
    const auto journal = Journal::Create(*dir_, "t", {begin_});
    ASSERT_THAT(journal, IsOk());
    JournalStep gen;
    gen.kind = StepKind::kGen;
    gen.generation = 4;
    ASSERT_THAT((*journal)->Append({gen}), IsOk());
  }
  EXPECT_THAT(ListJournals(*dir_), IsOkAndHolds(ElementsAre("t")));
  const auto steps = Journal::Peek(*dir_, "t");
  ASSERT_THAT(steps, IsOk());
  ASSERT_THAT(*steps, SizeIs(2));
  EXPECT_EQ((*steps)[1].generation, 4u);
  const auto journal = Journal::Open(*dir_, "t");
  ASSERT_THAT(journal, IsOk());
  ASSERT_THAT((*journal)->Finish(), IsOk());
  EXPECT_THAT(ListJournals(*dir_), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(Journal::Open(*dir_, "t"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(JournalTest, TornRecordWasNeverAnnounced) {  // 6.14
  { ASSERT_THAT(Journal::Create(*dir_, "t", {begin_}), IsOk()); }
  base::OpenOptions write;
  write.write = true;
  const auto file = dir_->Open(".deploy-tool/journal/t.jnl", write);
  const uint64_t size = (*file)->Stat()->size_bytes;
  JournalStep stage;
  stage.kind = StepKind::kStage;
  const std::string record = base::EncodeRecord(EncodeSteps({stage}));
  ASSERT_THAT((*file)->WriteAt(size, base::AsBytes(record.substr(0, record.size() - 1))), IsOk());
  EXPECT_THAT(*Journal::Peek(*dir_, "t"), SizeIs(1));
  EXPECT_THAT((*Journal::Open(*dir_, "t"))->steps(), SizeIs(1));
}

TEST_F(JournalTest, FinishedOneThatComesBackSaysSo) {
  const auto journal = Journal::Create(*dir_, "t", {begin_});
  ASSERT_THAT((*journal)->Finish(), IsOk());  // the removal of the name is not durable
  const base::sim::Files after = files_.AfterReboot(base::sim::Loss::kLoseAllUnsynced);
  base::sim::Files rebooted = after;
  const auto dir = rebooted.OpenRoot("/r");
  ASSERT_THAT(ListJournals(**dir), IsOkAndHolds(ElementsAre("t")));
  EXPECT_TRUE(HasStep(*Journal::Peek(**dir, "t"), StepKind::kEnd));
}

TEST_F(JournalTest, CommitThatFailedCanBeTakenBack) {  // D283
  const auto journal = Journal::Create(*dir_, "t", {begin_});
  JournalStep commit;
  commit.kind = StepKind::kCommit;
  files_.FailAt(2, absl::DataLossError("input/output error"));  // its sync
  ASSERT_FALSE((*journal)->Append({commit}).ok());
  files_.ClearFaults();
  EXPECT_TRUE(HasStep(*Journal::Peek(*dir_, "t"), StepKind::kCommit));
  ASSERT_THAT((*journal)->DropCommit(), IsOk());
  EXPECT_FALSE(HasStep(*Journal::Peek(*dir_, "t"), StepKind::kCommit));
  base::sim::Files rebooted = files_.AfterReboot(base::sim::Loss::kSeeded);
  EXPECT_FALSE(HasStep(*Journal::Peek(**rebooted.OpenRoot("/r"), "t"), StepKind::kCommit));
}

TEST(RootError, SaysWhatHelpsAgainstItsCause) {  // D204
  const auto read_only = RootError(base::ErrnoError(EROFS, "make directory x"), "open root");
  EXPECT_THAT(read_only, AllOf(HasErrorCode("DT005"), HasHint(HasSubstr("mount"))));
  const auto denied = RootError(base::ErrnoError(EACCES, "make directory x"), "open root");
  EXPECT_THAT(denied, AllOf(HasErrorCode("DT005"), HasHint(HasSubstr("owner"))));
  const auto descriptors = RootError(base::ErrnoError(EMFILE, "open x"), "open root");
  EXPECT_THAT(descriptors, AllOf(HasErrorCode("DT004"), HasHint(HasSubstr("limit"))));
  EXPECT_THAT(RootError(base::ErrnoError(ENOSPC, "write x"), "open root"), HasErrorCode("DT006"));
}

// ---- State ----

TEST(StateCodec, EverythingComesBackAsItWas) {
  TypeState state;
  state.current = "2.0.0";
  state.previous = "1.0.0";
  VersionState& version = state.versions["2.0.0"];
  version.deployed_at = absl::FromUnixSeconds(1'705'744'800);
  version.last_active_at = absl::FromUnixSeconds(1'705'744'900);
  version.sha256 = "ab";
  version.bytes = UINT64_MAX;
  version.files = 3;
  version.source = "near";
  version.pinned = version.bad = true;
  version.tags = {"production-verified"};
  version.dir_stat = DirStat{12, -5};
  state.versions["1.0.0"] = {};
  EXPECT_THAT(StateFromJson(StateToJson(state)), IsOkAndHolds(state));
}

TEST(StateCodec, NewerFormatIsRefusedAndDamageNamed) {  // D290
  EXPECT_THAT(StateFromJson(*base::ParseJson(R"({"format":2})")), HasErrorCode("DT025"));
  EXPECT_THAT(StateFromJson(*base::ParseJson(R"({"format":1,"current":7})")),
              HasErrorCode("DT007"));
  EXPECT_THAT(StateFromJson(*base::ParseJson("[]")), HasErrorCode("DT007"));
}

// ---- History ----

HistoryEntry Entry(const std::string& tx, const std::string& operation, const std::string& from,
                   const std::string& to, bool forward = false) {
  HistoryEntry entry;
  entry.tx = tx;
  entry.at = absl::UnixEpoch();
  entry.operation = operation;
  entry.changes = {{"model", from, to, "", ""}};
  entry.forward = forward;
  return entry;
}

TEST(History, EntryComesBackAsItWas) {
  HistoryEntry entry = Entry("t", "deploy", "1", "2");
  entry.user = "ann";
  entry.release = "2024.01.20";
  entry.generation = 4;
  entry.restored_generation = 2;
  entry.duration = absl::Milliseconds(812);
  const base::Json json = HistoryToJson(entry);
  const auto again = HistoryFromJson(json);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(HistoryToJson(*again).Dump(), json.Dump());
}

TEST(History, AppendMendsATornLineAndWritesATransactionOnce) {
  base::sim::Files files(1);
  const auto dir = *files.MakeRoot("/r");
  ASSERT_THAT(dir->MakeDir(kToolDir), IsOk());
  for (const char* tx : {"a", "b", "b"}) {
    ASSERT_THAT(AppendHistory(*dir, HistoryToJson(Entry(tx, "deploy", "", "1"))), IsOk());
  }
  EXPECT_THAT(*ReadHistory(*dir), SizeIs(2));
  base::OpenOptions write;
  write.write = true;
  const auto file = dir->Open(kHistoryFile, write);
  const uint64_t size = (*file)->Stat()->size_bytes;
  for (const std::string& torn : {std::string("{\"at\":\"20"), std::string(9, '\0')}) {
    ASSERT_THAT((*file)->WriteAt(size, base::AsBytes(torn)), IsOk());
    EXPECT_THAT(*ReadHistory(*dir), SizeIs(2));
  }
  ASSERT_THAT(AppendHistory(*dir, HistoryToJson(Entry("c", "deploy", "1", "2"))), IsOk());
  const auto entries = ReadHistory(*dir);
  ASSERT_THAT(*entries, SizeIs(3));
  EXPECT_EQ(entries->back().tx, "c");
}

// Also where it is longer than the line that takes its place.
TEST(History, AppendLeavesNothingOfATornLine) {
  base::sim::Files files(1);
  const auto dir = *files.MakeRoot("/r");
  ASSERT_THAT(dir->MakeDir(kToolDir), IsOk());
  std::string text;
  for (const char* tx : {"a", "b"}) {
    const base::Json entry = HistoryToJson(Entry(tx, "deploy", "", "1"));
    ASSERT_THAT(AppendHistory(*dir, entry), IsOk());
    absl::StrAppend(&text, entry.Dump(), "\n");
    EXPECT_EQ(*base::ReadFile(*dir, kHistoryFile, 1 << 20), text);
    base::OpenOptions write;
    write.write = true;
    const auto file = dir->Open(kHistoryFile, write);
    ASSERT_THAT((*file)->WriteAt(text.size(), base::AsBytes(std::string(3000, 'x'))), IsOk());
  }
}

TEST(History, FirstLineSurvivesPowerLoss) {  // D283, 6.14
  base::sim::Files files(1);
  const auto dir = *files.MakeRoot("/r");
  ASSERT_THAT(dir->MakeDir(kToolDir), IsOk());
  files.Settle();
  ASSERT_THAT(AppendHistory(*dir, HistoryToJson(Entry("a", "deploy", "", "1"))), IsOk());
  base::sim::Files after = files.AfterReboot(base::sim::Loss::kLoseAllUnsynced);
  const auto again = *after.OpenRoot("/r");
  EXPECT_THAT(*ReadHistory(*again), SizeIs(1));
}

struct RollbackCase {
  std::vector<HistoryEntry> history;
  std::string current;
  std::string back, forward;  // empty: none
};

TEST(History, RollbackGoesDownAndForwardUpAgain) {  // D174
  const auto deploy = [](const char* from, const char* to) {
    return Entry("", "deploy", from, to);
  };
  const auto back = [](const char* from, const char* to) {
    return Entry("", "rollback", from, to);
  };
  const auto forward = [](const char* from, const char* to) {
    return Entry("", "rollback", from, to, true);
  };
  const std::vector<RollbackCase> cases = {
      {{}, "1", "", ""},
      {{deploy("", "1")}, "1", "", ""},
      {{deploy("", "1"), deploy("1", "2")}, "2", "1", ""},
      {{deploy("", "1"), deploy("1", "2"), deploy("2", "1")}, "1", "2", ""},
      {{deploy("", "1"), deploy("1", "2"), back("2", "1")}, "1", "", "2"},
      {{deploy("", "1"), deploy("1", "2"), deploy("2", "3"), back("3", "2")}, "2", "1", "3"},
      {{deploy("", "1"), deploy("1", "2"), deploy("2", "3"), back("3", "2"), back("2", "1")},
       "1",
       "",
       "2"},
      {{deploy("", "1"), deploy("1", "2"), deploy("2", "3"), back("3", "2"), back("2", "1"),
        forward("1", "2")},
       "2",
       "1",
       "3"},
      // A new deploy forgets what was rolled back.
      {{deploy("", "1"), deploy("1", "2"), back("2", "1"), deploy("1", "3")}, "3", "1", ""},
      // Installed again: no change of what is active.
      {{deploy("", "1"), deploy("1", "2"), deploy("2", "2")}, "2", "1", ""},
      // The beginning is lost.
      {{deploy("4", "5")}, "5", "4", ""},
      // Somebody has switched by hand since.
      {{deploy("", "1"), deploy("1", "2")}, "7", "2", ""},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const auto any = [](const std::string&) { return true; };
    const RollbackCase& c = cases[i];
    EXPECT_EQ(RollbackVersion(c.history, "model", c.current, false, any).value_or(""), c.back);
    EXPECT_EQ(RollbackVersion(c.history, "model", c.current, true, any).value_or(""), c.forward);
    EXPECT_EQ(RollbackVersion(c.history, "other", c.current, false, any), std::nullopt);
  }
}

TEST(History, RollbackSkipsWhatIsNotUsable) {  // D174
  const std::vector<HistoryEntry> history = {
      Entry("", "deploy", "", "1"), Entry("", "deploy", "1", "2"), Entry("", "deploy", "2", "3")};
  EXPECT_EQ(RollbackVersion(history, "model", "3", false,
                            [](const std::string& version) { return version != "2"; }),
            "1");
}

}  // namespace
}  // namespace slipway::deploy
