// States of links, custom links, and repair (D26, D35-D37).
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/release/release_sim.h"

namespace slipway::deploy {
namespace {

using base::testing::HasErrorCode;
using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string InRoot(absl::string_view path) { return absl::StrCat(kTestRoot, "/", path); }

class LinksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(sim_.Deploy({"model:1.0.0"}), IsOk());
    ASSERT_THAT(sim_.Deploy({"model:1.1.0"}), IsOk());
    auto dir = sim_.world.files.OpenRoot(kTestRoot);
    ASSERT_THAT(dir, IsOk());
    dir_ = *std::move(dir);
  }
  void Replace(const std::string& path, const std::string& target) {
    ASSERT_THAT(base::RemoveTree(*dir_, path), IsOk());
    ASSERT_THAT(dir_->Symlink(target, path), IsOk());
  }
  // "path state" of what is not ok.
  std::vector<std::string> Bad(const LinkOptions& options = {}) {
    const auto root = sim_.Open(OpenMode::kRead);
    std::vector<std::string> bad;
    const auto links = (*root)->VerifyLinks(options, false);
    EXPECT_THAT(links, IsOk());
    for (const LinkInfo& info : *links) {
      bad.push_back(absl::StrCat(info.path, " ", LinkStateName(info.state)));
      EXPECT_NE(info.detail, "");
    }
    return bad;
  }
  absl::StatusOr<RepairResult> Repair(const LinkOptions& links = {}) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto root, sim_.Open(OpenMode::kMutate));
    ChangeOptions options;
    options.links = links;
    return root->RepairLinks(options);
  }
  static LinkOptions Custom(const std::string& path, const std::string& target) {
    LinkOptions options;
    options.custom = {{path, target}};
    return options;
  }

  ReleaseSim sim_;
  std::unique_ptr<base::Dir> dir_;
};

TEST_F(LinksTest, AllAreOkAfterADeploy) {
  const auto root = sim_.Open(OpenMode::kRead);
  const auto links = (*root)->ListLinks({});
  ASSERT_THAT(links, IsOk());
  std::vector<std::string> lines;
  for (const LinkInfo& info : *links) {
    lines.push_back(absl::StrCat(info.path, " ", LinkStateName(info.state), " ", info.version));
  }
  EXPECT_THAT(lines, ElementsAre("components/model/current ok 1.1.0", "links/model ok 1.1.0",
                                 "active ok "));
}

TEST_F(LinksTest, EachKindOfDamageHasItsState) {  // D35
  struct Case {
    std::function<void()> damage;
    std::vector<std::string> bad;
  };
  const std::vector<Case> cases = {
      {[&] { ASSERT_THAT(dir_->Remove("links/model"), IsOk()); }, {"links/model missing"}},
      {[&] { Replace("links/model", "/etc"); }, {"links/model wrong-target"}},
      {[&] { ASSERT_THAT(dir_->Remove("components/model/current"), IsOk()); },
       {"components/model/current missing", "links/model dangling", "active wrong-target"}},
      {[&] { Replace("components/model/current", "7.7.7"); },
       {"components/model/current dangling", "links/model dangling", "active wrong-target"}},
      {[&] { Replace("components/model/current", "../../etc"); },
       {"components/model/current wrong-target", "links/model dangling", "active wrong-target"}},
      {[&] { ASSERT_THAT(dir_->Remove("active"), IsOk()); }, {"active missing"}},
      {[&] { Replace("active", "generations/99"); }, {"active dangling"}},
      {[&] { Replace("active", "generations/1"); }, {"active wrong-target"}},
      {[&] { Replace("links/stranger", "/etc"); }, {"links/stranger foreign"}},
      {[&] {
         ASSERT_THAT(dir_->Remove("links/model"), IsOk());
         ASSERT_THAT(dir_->MakeDir("links/model"), IsOk());
       },
       {"links/model not-a-link"}},
      {[&] {
         ASSERT_THAT(dir_->Remove("active"), IsOk());
         ASSERT_THAT(dir_->MakeDir("active"), IsOk());
       },
       {"active not-a-link"}},
  };
  const base::sim::Files whole = sim_.world.files;
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    sim_.Mount(whole);
    dir_ = *sim_.world.files.OpenRoot(kTestRoot);
    cases[i].damage();
    EXPECT_EQ(Bad(), cases[i].bad);
  }
}

TEST_F(LinksTest, RepairPutsEveryKindOfDamageRight) {  // D37
  const std::vector<std::function<void()>> damages = {
      [&] { ASSERT_THAT(dir_->Remove("links/model"), IsOk()); },
      [&] { Replace("links/model", "/etc"); },
      [&] { ASSERT_THAT(dir_->Remove("components/model/current"), IsOk()); },
      [&] { Replace("components/model/current", "7.7.7"); },
      [&] { Replace("components/model/current", "../../etc"); },
      [&] { ASSERT_THAT(dir_->Remove("active"), IsOk()); },
      [&] { Replace("active", "generations/99"); },
      [&] { Replace("active", "generations/1"); },
  };
  const base::sim::Files whole = sim_.world.files;
  for (size_t i = 0; i < damages.size(); ++i) {
    SCOPED_TRACE(i);
    sim_.Mount(whole);
    dir_ = *sim_.world.files.OpenRoot(kTestRoot);
    damages[i]();
    const auto repaired = Repair();
    ASSERT_THAT(repaired, IsOk());
    EXPECT_NE(repaired->change.tx, "");
    EXPECT_THAT(repaired->refused, IsEmpty());
    EXPECT_THAT(Bad(), IsEmpty());
    EXPECT_EQ(ReleaseSim::Complaint(sim_.world.files, "model"), "");
    EXPECT_THAT(sim_.world.files.ReadLink(InRoot("components/model/current")),
                IsOkAndHolds("1.1.0"));
    EXPECT_EQ(Repair()->change.tx, "");  // nothing is left to do
  }
}

// A dangling current goes back to what worked, not to the highest number. D37
TEST_F(LinksTest, DanglingCurrentGoesToTheLastVersionThatHistoryShows) {
  DeployOptions only_install;
  only_install.switch_links = false;
  ASSERT_THAT(sim_.Deploy({"model:2.0.0"}, only_install), IsOk());
  ASSERT_THAT(base::RemoveTree(*dir_, "components/model/1.1.0"), IsOk());
  ASSERT_THAT(Repair(), IsOk());
  EXPECT_THAT(sim_.world.files.ReadLink(InRoot("components/model/current")), IsOkAndHolds("1.0.0"));
}

TEST_F(LinksTest, RealFilesInTheWayAreRefusedAndLeftAlone) {  // D37
  ASSERT_THAT(dir_->Remove("components/model/current"), IsOk());
  ASSERT_THAT(base::MakeDirs(*dir_, "components/model/current/mine"), IsOk());
  ASSERT_THAT(dir_->Remove("links/model"), IsOk());
  const auto repaired = Repair();
  ASSERT_THAT(repaired, IsOk());
  ASSERT_THAT(repaired->refused, SizeIs(1));
  EXPECT_EQ(repaired->refused[0].path, "components/model/current");
  EXPECT_TRUE(sim_.world.files.Exists(InRoot("components/model/current/mine")));
}

TEST_F(LinksTest, WithoutAnyHealthyVersionCurrentIsRefused) {  // D37
  ASSERT_THAT(base::RemoveTree(*dir_, "components/model/1.1.0"), IsOk());
  ASSERT_THAT(base::RemoveTree(*dir_, "components/model/1.0.0"), IsOk());
  const auto repaired = Repair();
  ASSERT_THAT(repaired, IsOk());
  EXPECT_THAT(repaired->refused, ElementsAre(Field(&LinkInfo::path, "components/model/current")));
}

TEST_F(LinksTest, CustomLinksAreMadeListedAndRepaired) {  // D26
  LinkOptions links = Custom("/srv/app/model", "links/model");
  links.custom.push_back({"inside/here", "links/model"});
  DeployOptions options;
  options.links = links;
  EXPECT_THAT(sim_.Deploy({"model:1.1.0"}, options), HasErrorCode("DT002"));  // no /srv/app
  options.links.create_parents = links.create_parents = true;
  const auto made = sim_.Deploy({"model:1.1.0"}, options);
  ASSERT_THAT(made, IsOk());
  EXPECT_THAT(made->links, SizeIs(2));
  EXPECT_THAT(sim_.world.files.ReadLink("/srv/app/model"), IsOkAndHolds("/srv/root/links/model"));
  EXPECT_THAT(sim_.world.files.ReadLink(InRoot("inside/here")), IsOkAndHolds("../links/model"));
  EXPECT_THAT(sim_.world.files.OpenRoot("/srv/app/model/data"), IsOk());
  EXPECT_EQ(sim_.Deploy({"model:1.1.0"}, options)->tx, "");
  EXPECT_THAT(Bad(links), IsEmpty());

  const auto app = sim_.world.files.OpenRoot("/srv/app");
  ASSERT_THAT((*app)->Remove("model"), IsOk());
  ASSERT_THAT((*app)->Symlink("/nowhere", "model"), IsOk());
  EXPECT_THAT(Bad(links), ElementsAre("/srv/app/model wrong-target"));
  ASSERT_THAT(Repair(links), IsOk());
  EXPECT_THAT(Bad(links), IsEmpty());
}

TEST_F(LinksTest, CustomLinkOfAComponentThatIsNotDeployedWaits) {  // D26
  LinkOptions links = Custom("/srv/config", "links/config");
  DeployOptions options;
  options.links = links;
  const auto result = sim_.Deploy({"model:1.0.0"}, options);
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(result->warnings, ElementsAre(HasSubstr("config")));
  EXPECT_FALSE(sim_.world.files.Exists("/srv/config"));
  EXPECT_THAT(Bad(links), IsEmpty());
  ASSERT_THAT(sim_.Deploy({"config:1.0.0"}, options), IsOk());
  EXPECT_THAT(sim_.world.files.OpenRoot("/srv/config/data"), IsOk());
}

TEST_F(LinksTest, OccupiedPathIsRefusedOrAdopted) {  // D26
  ASSERT_THAT(sim_.world.files.MakeRoot("/srv/app/model/old"), IsOk());
  LinkOptions links = Custom("/srv/app/model", "links/model");
  DeployOptions options;
  options.links = links;
  EXPECT_THAT(sim_.Deploy({"model:1.0.0"}, options), HasErrorCode("DT012"));
  EXPECT_THAT(sim_.world.files.ReadLink(InRoot("components/model/current")), IsOkAndHolds("1.1.0"));
  options.links.adopt = true;
  const auto adopted = sim_.Deploy({"model:1.0.0"}, options);
  ASSERT_THAT(adopted, IsOk());
  EXPECT_THAT(adopted->links.back(),
              AllOf(Field(&LinkChange::path, "/srv/app/model"),
                    Field(&LinkChange::moved_to, "/srv/app/model.bak-20240120T100000Z")));
  EXPECT_TRUE(sim_.world.files.Exists("/srv/app/model.bak-20240120T100000Z/old"));
  EXPECT_THAT(sim_.world.files.OpenRoot("/srv/app/model/data"), IsOk());
}

TEST_F(LinksTest, CustomLinksThatMakeNoSenseAreConfigErrors) {  // D26
  for (const char* path : {"components/model/mine", "active", ".deploy-tool/x", "links/model",
                           "/srv/root/links/model", "../x", "/srv/../etc/x", "generations/1/x"}) {
    DeployOptions options;
    options.links = Custom(path, "links/model");
    EXPECT_THAT(sim_.Deploy({"model:1.0.0"}, options), HasErrorCode("DT001")) << path;
  }
  DeployOptions options;
  options.links = Custom("/srv/a", "links/model");
  options.links.custom.push_back({"/srv/a/", "links/config"});
  EXPECT_THAT(sim_.Deploy({"model:1.0.0"}, options), HasErrorCode("DT001"));
}

TEST_F(LinksTest, CustomLinkNeverTakesTheRootOrWhatIsKeptAway) {  // D26
  ASSERT_THAT(sim_.world.files.MakeRoot("/home/project/stores/near"), IsOk());
  ASSERT_THAT((*sim_.world.files.OpenRoot("/srv"))->Symlink("/home", "alias"), IsOk());
  const std::string before = sim_.Snapshot();
  for (const char* path :
       {"/srv/root", "/srv/root/", "/srv", "/home/project", "/home", "/home/project/stores/near",
        "/home/project/stores", "/srv/alias/project", "/srv/alias/project/stores"}) {
    DeployOptions options;
    options.links = Custom(path, "links/model");
    options.links.adopt = true;
    options.links.keep = {"/home/project", "/home/project/stores/near"};
    const auto refused = sim_.Deploy({"model:1.0.0"}, options);
    EXPECT_THAT(refused, HasErrorCode("DT001")) << path;
    EXPECT_THAT(Repair(options.links), HasErrorCode("DT001")) << path;
  }
  EXPECT_EQ(sim_.Snapshot(), before);
  DeployOptions options;
  options.links = Custom("/home/project/model", "links/model");
  options.links.keep = {"/home/project", "/home/project/stores/near"};
  EXPECT_THAT(sim_.Deploy({"model:1.0.0"}, options), IsOk());
}

TEST_F(LinksTest, CustomLinkBelowAnotherIsAConfigError) {  // D26
  DeployOptions options;
  options.links = Custom("/srv/w", "links/model");
  options.links.custom.push_back({"/srv/w/x", "links/model"});
  options.links.create_parents = true;
  EXPECT_THAT(sim_.Deploy({"model:1.0.0"}, options), HasErrorCode("DT001"));
}

// The directories of a root may be taken away by accident; what follows from the rest comes back.
TEST_F(LinksTest, RepairMakesTheRootsOwnDirectoriesAgain) {  // D37
  const base::sim::Files whole = sim_.world.files;
  for (const char* taken : {"generations", "links", ".deploy-tool/locks", ".deploy-tool/journal",
                            ".deploy-tool/staging", ".deploy-tool/state", ".deploy-tool/cache"}) {
    SCOPED_TRACE(taken);
    sim_.Mount(whole);
    dir_ = *sim_.world.files.OpenRoot(kTestRoot);
    ASSERT_THAT(base::RemoveTree(*dir_, taken), IsOk());
    ASSERT_THAT(Repair(), IsOk());
    EXPECT_THAT(Bad(), IsEmpty());
    EXPECT_EQ(ReleaseSim::Complaint(sim_.world.files, "model"), "");
    EXPECT_THAT(sim_.Deploy({"config:1.0.0"}), IsOk());
    EXPECT_THAT(sim_.Switch("model", "1.0.0"), IsOk());
    EXPECT_THAT(sim_.Open(), IsOk());
  }
}

TEST_F(LinksTest, WithoutLinksOnlyCurrentIsKept) {
  DeployOptions options;
  options.links.enabled = false;
  ASSERT_THAT(sim_.Deploy({"config:1.0.0"}, options), IsOk());
  EXPECT_FALSE(sim_.world.files.Exists(InRoot("links/config")));
  EXPECT_THAT(sim_.world.files.ReadLink(InRoot("components/config/current")),
              IsOkAndHolds("1.0.0"));
}

}  // namespace
}  // namespace slipway::deploy
