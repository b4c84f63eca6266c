// Journals that no deploy-tool wrote are not acted on (D4, D190).
#include "deploy/release/journal_check.h"

#include "absl/strings/str_cat.h"
#include "base/recordlog/recordlog.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/release/release_sim.h"

namespace slipway::deploy {
namespace {

using base::testing::HasErrorCode;
using base::testing::HasHint;
using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kTx[] = "20240120T103000.000000Z-1a2b3c4d";
constexpr char kBegin[] =
    R"({"step":"BEGIN","format":1,"operation":"switch","components":[{"type":"model",)"
    R"("version":"1.0.0"}],"types":["model"],"user":"ann","host":"e","pid":1,"command":"x",)"
    R"("at":"2024-01-20T10:00:00Z","generation":2})";

absl::Status Check(const std::string& step, absl::string_view tx = kTx) {
  const auto steps = DecodeSteps(absl::StrCat("[", kBegin, ",", step, "]"));
  EXPECT_THAT(steps, IsOk()) << step;
  return CheckJournal("/srv/root", tx, *steps);
}

TEST(JournalCheck, StepsOfAChangeAreAccepted) {
  for (const char* step : {
           R"({"step":"FETCH"},{"step":"STAGE"})",
           R"({"step":"PLACE","dirs":["components/model",".deploy-tool/index/model"],"places":[)"
           R"({"from":".deploy-tool/staging/20240120T103000.000000Z-1a2b3c4d/0/tree",)"
           R"("to":"components/model/1.0.0","replace":false,"inode":1},)"
           R"({"from":".deploy-tool/staging/20240120T103000.000000Z-1a2b3c4d/0/files.zst",)"
           R"("to":".deploy-tool/index/model/1.0.0.files.zst","replace":true,"inode":2}]})",
           R"({"step":"GEN","generation":3})",
           R"({"step":"SWITCH","links":[{"path":"components/model/current","from":"1.1.0/",)"
           R"("to":"1.0.0"}],"dirs":[]})",
           R"({"step":"ACTIVE","links":[{"path":"active","from":"","to":"generations/3"}]})",
           R"({"step":"LINK","dirs":["run"],"links":[{"path":"links/model","from":"","to":"x"},)"
           R"({"path":"run/m","from":"","to":"../links/model","moved_to":)"
           R"("run/m.bak-20240120T103000Z"},{"path":"/srv/app/m","from":"/any","to":"/x"}]})",
       }) {
    EXPECT_THAT(Check(step), IsOk()) << step;
  }
}

TEST(JournalCheck, StepsThatNoChangeAnnouncesAreRefused) {
  const auto link = [](const char* path, const char* to, const char* moved_to = "") {
    return absl::StrCat(R"({"step":"LINK","links":[{"path":")", path, R"(","from":"","to":")", to,
                        R"(","moved_to":")", moved_to, R"("}]})");
  };
  const auto place = [](const char* from, const char* to) {
    return absl::StrCat(R"({"step":"PLACE","places":[{"from":")", from, R"(","to":")", to,
                        R"(","replace":false,"inode":0}]})");
  };
  const std::string staged = absl::StrCat(".deploy-tool/staging/", kTx, "/0/tree");
  const std::vector<std::string> bad = {
      link("/etc/cron.d/x", "x", "/home/evil"),
      link("/etc/cron.d/x", "x", "/etc/cron.d/evil"),
      link("/etc/cron.d/x", "x", "/etc/cron.d/x.bak-../../../evilxx"),
      link("/etc/x", ""),
      link("../x", "y"),
      link("/srv/../etc/x", "y"),
      link("/srv/root/components/model/1.0.0/x", "y"),
      link("/srv", "y"),
      link("components/model/1.0.0/x", "y"),
      link(".deploy-tool/root.json", "y"),
      link("generations/1/model", "y"),
      link("links", "y"),
      R"({"step":"LINK","links":[],"dirs":["/home/ann/empty"]})",
      R"({"step":"SWITCH","links":[{"path":"components/model/1.0.0","from":"","to":"1.0.0"}]})",
      R"({"step":"SWITCH","links":[{"path":"components/model/current","from":"","to":"../x"}]})",
      R"({"step":"SWITCH","links":[{"path":"components/model/current","from":"","to":"1.0.0",)"
      R"("moved_to":"components/model/1.1.0"}]})",
      R"({"step":"SWITCH","links":[{"path":"components/../x/current","from":"","to":"1.0.0"}]})",
      R"({"step":"ACTIVE","links":[{"path":"active","from":"","to":"/etc"}]})",
      R"({"step":"ACTIVE","links":[{"path":"links/model","from":"","to":"generations/3"}]})",
      R"({"step":"GEN","generation":2})",
      R"({"step":"GEN","generation":0})",
      place("components/model/1.0.0", "components/model/2.0.0"),
      place(".deploy-tool/staging/other/0/tree", "components/model/2.0.0"),
      place((staged + "/../../../../x").c_str(), "components/model/2.0.0"),
      place(staged.c_str(), "../../x"),
      place(staged.c_str(), "components/model/current"),
      place(staged.c_str(), ".deploy-tool/root.json"),
      place(staged.c_str(), ".deploy-tool/locks/model/1.0.0.lock"),
      R"({"step":"COMMIT","states":{"../../x":{}},"history":{}})",
      R"({"step":"COMMIT","states":{},"history":"x"})",
      kBegin,
  };
  for (const std::string& step : bad) {
    EXPECT_THAT(Check(step), HasErrorCode("DT007")) << step;
  }
  for (const char* tx : {"..", ".", "a/b", "-x"}) {
    EXPECT_THAT(Check(R"({"step":"STAGE"})", tx), HasErrorCode("DT007")) << tx;
  }
  const auto evil = DecodeSteps(
      R"([{"step":"BEGIN","format":1,"operation":"x","types":["../../x"],"user":"","host":"",)"
      R"("pid":1,"command":"","at":"2024-01-20T10:00:00Z"}])");
  ASSERT_THAT(evil, IsOk());
  EXPECT_THAT(CheckJournal("/srv/root", kTx, *evil), HasErrorCode("DT007"));
}

class PlantedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(sim_.Deploy({"model:1.0.0"}), IsOk());
    ASSERT_THAT(sim_.Deploy({"model:1.1.0"}), IsOk());
    ASSERT_THAT(sim_.world.files.MakeRoot("/etc/private"), IsOk());
    ASSERT_THAT(sim_.world.files.MakeRoot("/home/evil"), IsOk());
  }
  void Plant(const std::string& step) {
    const auto dir = sim_.world.files.OpenRoot("/srv/root/.deploy-tool/journal");
    const std::string record =
        base::EncodeRecord(absl::StrCat("[", kBegin, step.empty() ? "" : ",", step, "]"));
    ASSERT_THAT(base::WriteFileDurably(**dir, absl::StrCat(kTx, ".jnl"), record), IsOk());
  }
  ReleaseSim sim_;
};

TEST_F(PlantedTest, FilesOutsideOfTheRootAreNotMoved) {  // D4
  Plant(R"({"step":"LINK","links":[{"path":"/etc/private/x","from":"","to":"x",)"
        R"("moved_to":"/home/evil"}],"dirs":[]})");
  const auto root = sim_.Open();
  EXPECT_THAT(root, AllOf(HasErrorCode("DT015"), HasHint(HasSubstr(kTx))));
  EXPECT_TRUE(sim_.world.files.Exists("/home/evil"));
  EXPECT_FALSE(sim_.world.files.Exists("/etc/private/x"));
}

TEST_F(PlantedTest, CurrentIsNeverSetToWhatIsNoVersion) {  // D190
  Plant(R"({"step":"SWITCH","links":[{"path":"components/model/current","from":"../../../etc",)"
        R"("to":"1.1.0"}],"dirs":[]})");
  const auto root = sim_.Open();
  ASSERT_THAT(root, IsOk());
  EXPECT_THAT((*root)->recovery().transactions, SizeIs(1));
  // Where it led before is not known, so it leads nowhere, and repair knows where it should.
  EXPECT_FALSE(sim_.world.files.ReadLink("/srv/root/components/model/current").ok());
  ASSERT_THAT((*root)->RepairLinks({}), IsOk());
  EXPECT_THAT(sim_.world.files.ReadLink("/srv/root/components/model/current"),
              IsOkAndHolds("1.1.0"));
}

TEST_F(PlantedTest, JournalOfAnotherUserIsLeftToThatUser) {  // D4
  const auto dir = sim_.world.files.OpenRoot("/srv/root/.deploy-tool");
  ASSERT_THAT(base::RemoveTree(**dir, "journal"), IsOk());
  ASSERT_THAT((*dir)->MakeDir("journal", 0777), IsOk());
  sim_.world.SetUser("eve", 1000);
  Plant("");
  sim_.world.SetUser("root", 0);
  const auto root = sim_.Open();
  EXPECT_THAT(root, AllOf(HasErrorCode("DT005"), HasHint(HasSubstr("recover"))));
  EXPECT_TRUE(
      sim_.world.files.Exists(absl::StrCat("/srv/root/.deploy-tool/journal/", kTx, ".jnl")));
}

}  // namespace
}  // namespace slipway::deploy
