// Switch, rollback and what there is to read, on a machine without faults.
#include "deploy/release/deploy_root.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string InRoot(absl::string_view path) { return absl::StrCat(kTestRoot, "/", path); }

TEST(Versions, SwitchToWhatIsNotInstalledNamesTheNearest) {  // D30
  ReleaseSim sim;
  for (const char* version : {"model:1.0.0", "model:1.1.0", "model:2.0.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
  }
  const auto missing = sim.Switch("model", "1.0.5");
  EXPECT_THAT(missing, AllOf(HasErrorCode("DT010"), HasHint(HasSubstr("deploy"))));
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("1.0.0, 1.1.0, 2.0.0"));
  EXPECT_THAT(sim.Switch("nothing", "1.0.0"),
              AllOf(HasErrorCode("DT010"), HasHint(HasSubstr("deploy"))));
  EXPECT_THAT(sim.Switch("model", "../x"), HasErrorCode("DT003"));
}

TEST(Versions, SwitchToTheCurrentVersionIsNothing) {  // D30
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const int operations = sim.world.files.operations();
  const auto result = sim.Switch("model", "1.0.0");
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->tx, "");
  EXPECT_EQ(sim.world.files.operations(), operations);
}

TEST(Versions, SwitchCallsFewSyncs) {  // D263
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  sim.world.files.Settle();
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  const size_t start = sim.world.files.trace().size();
  ASSERT_THAT((*root)->Switch("model", "1.0.0", {}), IsOk());
  const std::vector<std::string> trace = sim.world.files.trace();
  int syncs = 0, syncs_before_visible = -1;
  for (size_t i = start; i < trace.size(); ++i) {
    if (absl::StrContains(trace[i], "sync")) ++syncs;
    if (absl::StartsWith(trace[i], "rename") && absl::EndsWith(trace[i], "model/current")) {
      syncs_before_visible = syncs;
    }
  }
  EXPECT_GE(syncs_before_visible, 1);
  EXPECT_LE(syncs_before_visible, 8);
  EXPECT_GT(syncs, syncs_before_visible);
  EXPECT_LE(syncs, 14);
}

TEST(Versions, RollingBackTwiceGoesBackTwice) {  // D174
  ReleaseSim sim;
  for (const char* version : {"model:1.0.0", "model:1.1.0", "model:2.0.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
  }
  const auto current = [&] {
    return *sim.world.files.ReadLink(InRoot("components/model/current"));
  };
  ASSERT_THAT(sim.Rollback("model"), IsOk());
  EXPECT_EQ(current(), "1.1.0");
  ASSERT_THAT(sim.Rollback("model"), IsOk());
  EXPECT_EQ(current(), "1.0.0");
  EXPECT_THAT(sim.Rollback("model"), HasErrorCode("DT010"));
  ASSERT_THAT(sim.Rollback("model", true), IsOk());
  EXPECT_EQ(current(), "1.1.0");
  ASSERT_THAT(sim.Rollback("model", true), IsOk());
  EXPECT_EQ(current(), "2.0.0");
  EXPECT_THAT(sim.Rollback("model", true), HasErrorCode("DT010"));
  ASSERT_THAT(sim.Rollback("model"), IsOk());
  EXPECT_EQ(current(), "1.1.0");
}

TEST(Versions, RollbackOfTheRootRestoresTheWholeSet) {  // D173
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0", "config:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0", "config:1.1.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"runtime:1.0.0"}), IsOk());
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  const auto target = [&](const char* type) {
    return *sim.world.files.ReadLink(InRoot(absl::StrCat("components/", type, "/current")));
  };
  // Generation 2 has no runtime, which stays; so the set is the same and the one before is taken.
  const auto back = (*root)->RollbackGeneration(1, {});
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(target("model"), "1.0.0");
  EXPECT_EQ(target("config"), "1.0.0");
  EXPECT_EQ(target("runtime"), "1.0.0");
  EXPECT_THAT(back->warnings, ElementsAre(HasSubstr("runtime")));
  EXPECT_EQ(back->generation, 4u);
  EXPECT_THAT(sim.world.files.ReadLink(InRoot("generations/4/runtime")),
              IsOkAndHolds("../../components/runtime/1.0.0"));
  EXPECT_THAT((*root)->RollbackGeneration(77, {}), HasErrorCode("DT010"));
}

TEST(Versions, RollbackOfTheRootTwiceGoesBackTwice) {  // D173, D174
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0", "config:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"config:1.1.0"}), IsOk());
  const auto root = sim.Open();
  const auto now = [&] {
    return absl::StrCat(*sim.world.files.ReadLink(InRoot("components/model/current")), " ",
                        *sim.world.files.ReadLink(InRoot("components/config/current")));
  };
  ASSERT_THAT((*root)->RollbackGeneration(std::nullopt, {}), IsOk());
  EXPECT_EQ(now(), "1.1.0 1.0.0");
  ASSERT_THAT((*root)->RollbackGeneration(std::nullopt, {}), IsOk());
  EXPECT_EQ(now(), "1.0.0 1.0.0");
  EXPECT_THAT((*root)->RollbackGeneration(std::nullopt, {}), HasErrorCode("DT010"));
  RollbackOptions forward;
  forward.forward = true;
  ASSERT_THAT((*root)->RollbackGeneration(std::nullopt, forward), IsOk());
  EXPECT_EQ(now(), "1.1.0 1.0.0");
}

// A generation that only lacks a type changes nothing, so it is no place to go back to.
TEST(Versions, RollbackOfTheRootPassesOverGenerationsThatWouldChangeNothing) {  // D173
  ReleaseSim sim;
  for (const char* version : {"model:1.0.0", "model:1.1.0", "config:1.0.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
  }
  const auto root = sim.Open();
  const auto current = [&] {
    return *sim.world.files.ReadLink(InRoot("components/model/current"));
  };
  const auto back = (*root)->RollbackGeneration(std::nullopt, {});
  ASSERT_THAT(back, IsOk());
  EXPECT_NE(back->tx, "");
  EXPECT_EQ(current(), "1.0.0");
  EXPECT_THAT(back->warnings, ElementsAre(HasSubstr("config")));
  EXPECT_THAT((*root)->RollbackGeneration(std::nullopt, {}), HasErrorCode("DT010"));
  RollbackOptions forward;
  forward.forward = true;
  ASSERT_THAT((*root)->RollbackGeneration(std::nullopt, forward), IsOk());
  EXPECT_EQ(current(), "1.1.0");
}

TEST(Versions, TenGenerationRecordsAreKept) {  // D173
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  for (int i = 0; i < 14; ++i)
    ASSERT_THAT(sim.Switch("model", i % 2 == 0 ? "1.0.0" : "1.1.0"), IsOk());
  const auto root = sim.Open(OpenMode::kRead);
  const auto generations = (*root)->Generations();
  ASSERT_THAT(generations, IsOk());
  EXPECT_THAT(*generations, SizeIs(10));
  EXPECT_EQ(generations->front().number, 16u);
  EXPECT_TRUE(generations->front().active);
}

TEST(Versions, GenerationThatLostAVersionIsIncompleteAndNotOffered) {  // D173
  ReleaseSim sim;
  for (const char* version : {"model:1.0.0", "model:1.1.0", "model:2.0.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
  }
  const auto dir = sim.world.files.OpenRoot(kTestRoot);
  ASSERT_THAT(base::RemoveTree(**dir, "components/model/1.1.0"), IsOk());
  const auto root = sim.Open();
  EXPECT_TRUE((*(*root)->Generations())[1].incomplete);
  EXPECT_THAT((*root)->RollbackGeneration(2, {}), HasErrorCode("DT010"));
  ASSERT_THAT((*root)->RollbackGeneration(std::nullopt, {}), IsOk());
  EXPECT_THAT(sim.world.files.ReadLink(InRoot("components/model/current")), IsOkAndHolds("1.0.0"));
}

// Records above the active generation are of changes that were undone.
TEST(Versions, GenerationsAboveTheActiveOneAreNotShownAndGoWithTheNextChange) {  // D173
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  const auto dir = sim.world.files.OpenRoot(InRoot("generations"));
  ASSERT_THAT((*dir)->MakeDir("99"), IsOk());
  ASSERT_THAT((*dir)->Symlink("../../components/model/1.0.0", "99/model"), IsOk());
  const auto root = sim.Open();
  const auto generations = (*root)->Generations();
  ASSERT_THAT(generations, IsOk());
  EXPECT_THAT(*generations, SizeIs(2));
  EXPECT_EQ(generations->front().number, 2u);
  EXPECT_THAT((*root)->RollbackGeneration(99, {}), HasErrorCode("DT010"));
  ASSERT_THAT(sim.Switch("model", "1.0.0"), IsOk());
  EXPECT_FALSE(sim.world.files.Exists(InRoot("generations/99")));
  EXPECT_TRUE(sim.world.files.Exists(InRoot("generations/3")));
}

// Marks version 1.1.0 of model as bad.
void MarkBad(ReleaseSim& sim) {
  const auto dir = sim.world.files.OpenRoot(InRoot(".deploy-tool/state"));
  std::string state = *sim.world.files.Read(InRoot(".deploy-tool/state/model.json"));
  const size_t at = state.find("\"bad\": false", state.find("\"1.1.0\": {"));
  ASSERT_NE(at, std::string::npos);
  state.replace(at, 12, "\"bad\": true");
  ASSERT_THAT(base::WriteFileDurably(**dir, "model.json", state), IsOk());
}

TEST(Versions, GenerationsWithABadVersionAreSkippedByRollbackOfTheRoot) {  // D173, D174
  ReleaseSim sim;
  for (const char* version : {"model:1.0.0", "model:1.1.0", "model:2.0.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
  }
  MarkBad(sim);
  const auto root = sim.Open();
  ASSERT_THAT((*root)->RollbackGeneration(std::nullopt, {}), IsOk());
  EXPECT_THAT(sim.world.files.ReadLink(InRoot("components/model/current")), IsOkAndHolds("1.0.0"));
}

TEST(Versions, BadVersionsAreSkippedByRollback) {  // D174
  ReleaseSim sim;
  for (const char* version : {"model:1.0.0", "model:1.1.0", "model:2.0.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
  }
  MarkBad(sim);
  ASSERT_THAT(sim.Rollback("model"), IsOk());
  EXPECT_THAT(sim.world.files.ReadLink(InRoot("components/model/current")), IsOkAndHolds("1.0.0"));
}

TEST(Versions, ListsVersionsByPrecedenceWithMarks) {  // D31
  ReleaseSim sim;
  for (const char* version : {"model:2.0.0", "model:1.0.0", "model:1.1.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
    sim.world.clock.Advance(absl::Hours(1));
  }
  const auto root = sim.Open(OpenMode::kRead);
  const auto versions = (*root)->ListVersions("model");
  ASSERT_THAT(versions, IsOk());
  ASSERT_THAT(*versions, SizeIs(3));
  EXPECT_EQ((*versions)[0].component.version, "2.0.0");
  EXPECT_EQ((*versions)[2].component.version, "1.0.0");
  EXPECT_TRUE((*versions)[1].current);
  EXPECT_TRUE((*versions)[2].previous);
  EXPECT_EQ((*versions)[1].files, 3u);
  EXPECT_EQ((*versions)[1].source, "memory");
  EXPECT_LT(*(*versions)[2].deployed_at, *(*versions)[1].deployed_at);
  EXPECT_THAT((*root)->ListVersions("config"), HasErrorCode("DT010"));
  EXPECT_THAT((*root)->Types(), IsOkAndHolds(ElementsAre("model")));
}

TEST(Versions, LostStateIsRebuiltFromDiskAndHistory) {  // 6.6
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  sim.world.clock.Advance(absl::Hours(1));
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  const auto before = (*sim.Open(OpenMode::kRead))->ListVersions("model");
  ASSERT_THAT(before, IsOk());
  const auto dir = sim.world.files.OpenRoot(InRoot(".deploy-tool/state"));
  for (const char* damage : {"", "{\"format\": 1", "[]"}) {
    SCOPED_TRACE(damage);
    ASSERT_THAT((*dir)->Remove("model.json"), IsOk());
    if (*damage != 0) {
      ASSERT_THAT(base::WriteFileDurably(**dir, "model.json", damage), IsOk());
    }
    const auto after = (*sim.Open(OpenMode::kRead))->ListVersions("model");
    ASSERT_THAT(after, IsOk());
    ASSERT_EQ(after->size(), before->size());
    for (size_t i = 0; i < after->size(); ++i) {
      const VersionInfo &a = (*after)[i], &b = (*before)[i];
      EXPECT_EQ(a.component, b.component);
      EXPECT_EQ(a.current, b.current);
      EXPECT_EQ(a.previous, b.previous);
      EXPECT_EQ(a.deployed_at, b.deployed_at);
      EXPECT_EQ(a.last_active_at, b.last_active_at);
      EXPECT_EQ(a.sha256, b.sha256);
      EXPECT_EQ(a.bytes, b.bytes);
      EXPECT_EQ(a.source, b.source);
    }
    ASSERT_THAT(base::WriteFileDurably(**dir, "model.json", "x"), IsOk());
  }
}

TEST(Versions, VerifyVersionNamesTheDamagedFile) {  // D150
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const auto root = sim.Open(OpenMode::kRead);
  EXPECT_THAT((*root)->VerifyVersion({"model", "1.0.0"}, {}), IsOkAndHolds(IsEmpty()));
  const auto dir = sim.world.files.OpenRoot(InRoot("components/model/1.0.0"));
  base::OpenOptions write;
  write.write = true;
  const auto file = (*dir)->Open("data/1.0.0.bin", write);
  ASSERT_THAT((*file)->WriteAt(300, base::AsBytes("!")), IsOk());
  const auto drift = (*root)->VerifyVersion({"model", "1.0.0"}, {});
  ASSERT_THAT(drift, IsOk());
  ASSERT_THAT(*drift, SizeIs(1));
  EXPECT_EQ((*drift)[0].path, "data/1.0.0.bin");
  const auto links = (*root)->VerifyLinks({}, true);
  ASSERT_THAT(links, IsOk());
  ASSERT_THAT(*links, SizeIs(1));
  EXPECT_THAT((*links)[0].detail, HasSubstr("data/1.0.0.bin"));
  EXPECT_THAT((*root)->VerifyLinks({}, false), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT((*root)->VerifyVersion({"model", "9.0.0"}, {}), HasErrorCode("DT010"));
}

TEST(Versions, ManifestOfOnlyTheRequiredFieldsDeploys) {  // 6.3
  ReleaseSim sim;
  TestPackage package = PackageOf("model", "1.0.0");
  package.manifest.package.content.reset();
  package.manifest.package.index.reset();
  package.manifest.package.pieces.reset();
  package.manifest_text.clear();
  const auto root = sim.Open();
  ASSERT_THAT((*root)->Deploy({sim.Input(package)}, {}), IsOk());
  EXPECT_THAT((*root)->VerifyVersion({"model", "1.0.0"}, {}), IsOkAndHolds(IsEmpty()));
}

TEST(Versions, InputThatCannotBeDeployedIsRefused) {
  ReleaseSim sim;
  EXPECT_THAT(sim.Deploy({}), HasErrorCode("DT009"));
  EXPECT_THAT(sim.Deploy({"model:1.0.0", "model:1.1.0"}), HasErrorCode("DT014"));
}

TEST(Versions, OpensOnlyWhatIsADeployRoot) {  // D290
  ReleaseSim sim;
  EXPECT_THAT(sim.Open(OpenMode::kRead), HasErrorCode("DT002"));
  ASSERT_THAT(sim.world.files.MakeRoot(kTestRoot), IsOk());
  EXPECT_THAT(sim.Open(OpenMode::kMutate), HasErrorCode("DT002"));
  ASSERT_THAT(sim.Open(OpenMode::kCreate), IsOk());
  ASSERT_THAT(sim.Open(OpenMode::kMutate), IsOk());
  const auto dir = sim.world.files.OpenRoot(InRoot(".deploy-tool"));
  ASSERT_THAT(base::WriteFileDurably(**dir, "root.json", "{\"format\": 2, \"root_id\": \"x\"}"),
              IsOk());
  EXPECT_THAT(sim.Open(OpenMode::kRead), HasErrorCode("DT025"));
  ASSERT_THAT(base::WriteFileDurably(**dir, "root.json", "{\"format\": 9, \"other\": []}"), IsOk());
  const auto newer = sim.Open(OpenMode::kRead);
  EXPECT_THAT(newer, HasErrorCode("DT025"));
  EXPECT_THAT(std::string(newer.status().message()), HasSubstr("newer"));
}

TEST(Versions, RootThatOthersMayChangeIsWarnedOf) {  // D4
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  EXPECT_THAT((*sim.Open())->warnings(), IsEmpty());
  const auto dir = sim.world.files.OpenRoot(kTestRoot);
  ASSERT_THAT((*dir)->SetMeta(".", {.mode = 0777}), IsOk());
  EXPECT_THAT((*sim.Open())->warnings(), ElementsAre(HasSubstr("everybody")));
  EXPECT_THAT((*sim.Open(OpenMode::kRead))->warnings(), IsEmpty());
  ASSERT_THAT((*dir)->SetMeta(".", {.mode = 0755}), IsOk());
  ReleaseSim foreign;
  ASSERT_THAT(foreign.world.files.MakeRoot("/srv"), IsOk());
  ASSERT_THAT((*foreign.world.files.OpenRoot("/srv"))->SetMeta(".", {.mode = 0777}), IsOk());
  foreign.world.SetUser("eve", 1000);
  ASSERT_THAT(foreign.world.files.MakeRoot(kTestRoot), IsOk());
  foreign.world.SetUser("root", 0);
  const auto opened = foreign.Open(OpenMode::kCreate);
  ASSERT_THAT(opened, IsOk());
  EXPECT_THAT((*opened)->warnings(), ElementsAre(HasSubstr("uid 1000")));
}

TEST(Versions, HistoryTellsWhoDidWhat) {  // D179
  ReleaseSim sim;
  sim.world.SetUser("alice", 1000);
  sim.world.SetUser("root", 0);
  DeployOptions options;
  options.release = "2024.01.20";
  options.reason = "first";
  ASSERT_THAT(sim.Deploy({"model:1.0.0", "config:1.0.0"}, options), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  ASSERT_THAT(sim.Rollback("model"), IsOk());
  const auto root = sim.Open(OpenMode::kRead);
  const auto all = (*root)->History("", 10);
  ASSERT_THAT(all, IsOk());
  ASSERT_THAT(*all, SizeIs(3));
  EXPECT_EQ((*all)[0].operation, "rollback");
  EXPECT_EQ((*all)[0].changes[0].from, "1.1.0");
  EXPECT_EQ((*all)[0].changes[0].to, "1.0.0");
  EXPECT_EQ((*all)[2].release, "2024.01.20");
  EXPECT_EQ((*all)[2].reason, "first");
  EXPECT_EQ((*all)[2].user, "root");
  EXPECT_THAT((*all)[2].changes, SizeIs(2));
  EXPECT_THAT(*(*root)->History("config", 10), SizeIs(1));
  EXPECT_THAT(*(*root)->History("", 2), SizeIs(2));
  const auto status = (*root)->Status();
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(status->generation, 3u);
  ASSERT_THAT(status->types, SizeIs(2));
  EXPECT_EQ(status->types[1].current, "1.0.0");
  EXPECT_EQ(status->types[1].previous, "1.1.0");
  EXPECT_EQ(status->links_bad, 0u);
  EXPECT_EQ(status->last_change->operation, "rollback");
}

}  // namespace
}  // namespace slipway::deploy
