// What each operation does on a machine without faults.
#include "deploy/release/deploy_root.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/codec/codec.h"
#include "base/digest/blake3.h"
#include "base/digest/sha256.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/pack/tar_writer.h"
#include "deploy/release/release_sim.h"
#include "deploy/repository/codec.h"

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
using ::testing::Not;
using ::testing::SizeIs;

std::string InRoot(absl::string_view path) { return absl::StrCat(kTestRoot, "/", path); }

// Everything on the disk but what a reader may not see: for "nothing has changed at all".
std::string Everything(const ReleaseSim& sim) { return sim.world.files.Tree(); }

TEST(DeployRoot, LaysOutComponentsLinksAndGenerationsExactly) {  // D20, D173
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const base::sim::Files& files = sim.world.files;
  EXPECT_THAT(files.ReadLink(InRoot("components/model/current")), IsOkAndHolds("1.0.0"));
  EXPECT_THAT(files.ReadLink(InRoot("links/model")), IsOkAndHolds("../components/model/current"));
  EXPECT_THAT(files.ReadLink(InRoot("active")), IsOkAndHolds("generations/1"));
  EXPECT_THAT(files.ReadLink(InRoot("generations/1/model")),
              IsOkAndHolds("../../components/model/1.0.0"));
  EXPECT_THAT(files.Read(InRoot("components/model/1.0.0/name.txt")), IsOkAndHolds("model 1.0.0\n"));
  EXPECT_EQ(ReleaseSim::Complaint(files, "model"), "");
  EXPECT_THAT(files.Read(InRoot(".deploy-tool/manifests/model/1.0.0.manifest.json")),
              IsOkAndHolds(PackageOf("model", "1.0.0").manifest_text));
  EXPECT_THAT(sim.Snapshot(), Not(HasSubstr("journal/")));
  EXPECT_THAT(sim.Snapshot(), Not(HasSubstr("staging/")));
}

// A package whose modes let anybody write deploys without that bit, and what is installed verifies:
// with the digest of the manifest, with one that an earlier tool made over the bit, with and
// without a published index.
TEST(DeployRoot, WorldWritableFilesInstallWithoutTheBitAndVerify) {  // D2, D150, D193
  ReleaseSim sim;
  TestPackage package = MakePackage({"model", "3.0.0"}, {{"a/shared", "x"}}, {}, 0666);
  const auto repository = RepositoryWith({&package});
  sim.sources = {{"memory", repository.get()}};
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  const auto check = [&](const DeployComponent& component) {
    DeployOptions options;
    options.force = true;
    ASSERT_THAT((*root)->Deploy({component}, options), IsOk());
    const auto dir = sim.world.files.OpenRoot(InRoot("components/model/3.0.0/a"));
    EXPECT_EQ((*dir)->Stat("shared")->mode, 0664u);
    EXPECT_THAT((*root)->VerifyVersion({"model", "3.0.0"}, {}), IsOkAndHolds(IsEmpty()));
  };
  check(sim.Input(package));
  const std::string text = absl::StrCat(
      "{\"p\":\"a\",\"t\":\"d\",\"m\":\"0755\"}\n{\"p\":\"a/shared\",\"t\":\"f\",\"m\":\"0666\","
      "\"s\":1,\"b3\":\"",
      base::ToHex(base::Blake3Of(base::AsBytes("x"))), "\"}\n");
  DeployComponent old = sim.Input(package);
  old.manifest.package.content->tree =
      absl::StrCat("blake3:", base::ToHex(base::Blake3Of(base::AsBytes(text))));
  old.manifest_text = WriteManifest(old.manifest);
  check(old);
  old.manifest.package.index.reset();
  old.manifest_text = WriteManifest(old.manifest);
  check(old);
}

// Programs other than ours may write no members for directories, and no side files.
TEST(DeployRoot, APackageWithoutMembersForDirectoriesStaysIntact) {  // D150, 6.3
  ReleaseSim sim;
  TestPackage package = MakePackage({"model", "3.0.0"}, {{"a", "x"}});
  TarMember member;
  member.path = "a/b/f";
  member.mode = 0644;
  member.size_bytes = 1;
  const std::string tar =
      absl::StrCat(*FormatTarHeader(member), "1", std::string(511, '\0'), TarEnd());
  Manifest& manifest = package.manifest;
  manifest.package.algorithm = "none";
  manifest.package.size_bytes = tar.size();
  manifest.package.sha256 = base::ToHex(base::Sha256Of(base::AsBytes(tar)));
  manifest.package.content.reset();
  manifest.package.index.reset();
  package.manifest_text = WriteManifest(manifest);
  package.objects = {{ObjectKey(manifest.component, manifest.package.file), tar}};
  const auto repository = RepositoryWith({&package});
  sim.sources = {{"memory", repository.get()}};
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  ASSERT_THAT((*root)->Deploy({sim.Input(package)}, {}), IsOk());
  EXPECT_THAT((*root)->VerifyVersion(manifest.component, {}), IsOkAndHolds(IsEmpty()));
  ASSERT_THAT((*sim.world.files.OpenRoot(InRoot("components/model/3.0.0")))->MakeDir("a/b/extra"),
              IsOk());
  EXPECT_THAT((*root)->VerifyVersion(manifest.component, {}), IsOkAndHolds(SizeIs(1)));
}

TEST(DeployRoot, APackageOfAnotherSizeThanStatedIsRefused) {  // D9, D191
  for (const int difference : {-1, 1}) {
    ReleaseSim sim;
    DeployComponent input = sim.Input(PackageOf("model", "1.0.0"));
    input.manifest.package.size_bytes += static_cast<uint64_t>(difference);
    const auto root = sim.Open();
    ASSERT_THAT(root, IsOk());
    const auto refused = (*root)->Deploy({input}, {});
    EXPECT_THAT(refused.status(), HasErrorCode("DT007"));
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("bytes"));
    // Nor when the package is in the cache already.
    ASSERT_THAT(sim.Deploy({"model:1.0.0"},
                           [] {
                             DeployOptions options;
                             options.switch_links = false;
                             return options;
                           }()),
                IsOk());
    DeployOptions again;
    again.force = true;
    EXPECT_THAT((*root)->Deploy({input}, again).status(), HasErrorCode("DT007"));
  }
}

TEST(DeployRoot, AFileIndexThatNoSourceHasIsAWarningThatSaysWhatWasCompared) {  // D150
  for (const bool tree : {true, false}) {
    ReleaseSim sim;
    TestPackage package = PackageOf("model", "1.0.0");
    if (!tree) package.manifest.package.content.reset();
    package.manifest_text = WriteManifest(package.manifest);
    package.objects.erase(
        ObjectKey(package.manifest.component, IndexFileName(package.manifest.component)));
    const auto repository = RepositoryWith({&package});
    sim.sources = {{"memory", repository.get()}};
    const auto root = sim.Open();
    ASSERT_THAT(root, IsOk());
    const auto result = (*root)->Deploy({sim.Input(package)}, {});
    ASSERT_THAT(result, IsOk());
    EXPECT_THAT(result->warnings,
                ElementsAre(AllOf(HasSubstr("no source has the file index"),
                                  HasSubstr(tree ? "tree digest" : "only the SHA-256"))));
  }
}

TEST(DeployRoot, AFileIndexLargerThanItsPackageCanHaveIsReadToItsLimitOnly) {  // D192, D262
  ReleaseSim sim;
  TestPackage package = PackageOf("model", "1.0.0");
  const auto bomb = base::CompressZstd(base::AsBytes(std::string(8 << 20, ' ')), 3);
  ASSERT_THAT(bomb, IsOk());
  Manifest& manifest = package.manifest;
  manifest.package.index->sha256 = base::ToHex(base::Sha256Of(*bomb));
  package.manifest_text = WriteManifest(manifest);
  package.objects[ObjectKey(manifest.component, manifest.package.index->file)] =
      std::string(base::AsText(*bomb));
  const auto repository = RepositoryWith({&package});
  sim.sources = {{"memory", repository.get()}};
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  const absl::Status refused = (*root)->Deploy({sim.Input(package)}, {}).status();
  EXPECT_THAT(refused, HasErrorCode("DT007"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("larger than the limit of 104"));
}

TEST(DeployRoot, DeployTellsWhatItDid) {  // 6.15
  ReleaseSim sim;
  const auto result = sim.Deploy({"model:1.0.0"});
  ASSERT_THAT(result, IsOk());
  ASSERT_THAT(result->components, SizeIs(1));
  const ComponentResult& component = result->components[0];
  EXPECT_EQ(component.component.ToString(), "model:1.0.0");
  EXPECT_EQ(component.action, Action::kInstalled);
  EXPECT_EQ(component.source, "memory");
  EXPECT_EQ(component.bytes_fetched, PackageOf("model", "1.0.0").manifest.package.size_bytes);
  EXPECT_FALSE(component.cache_hit);
  EXPECT_EQ(result->generation, 1u);
  EXPECT_THAT(result->warnings, IsEmpty());
  EXPECT_NE(result->tx, "");
  EXPECT_THAT(result->links, SizeIs(3));  // current, active, links/model
}

TEST(DeployRoot, DeployOfTheCurrentVersionWritesNothing) {  // D21, D263
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  sim.sources.clear();  // the network is off
  const std::string before = Everything(sim);
  const int operations = sim.world.files.operations();
  const auto again = sim.Deploy({"model:1.0.0"});
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->tx, "");
  EXPECT_EQ(again->components[0].action, Action::kAlreadyCurrent);
  EXPECT_EQ(Everything(sim), before);
  EXPECT_EQ(sim.world.files.operations(), operations);  // no write, no fsync
}

TEST(DeployRoot, DeployOfAnInstalledVersionSwitchesWithoutFetching) {  // D21
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  sim.sources.clear();
  const auto back = sim.Deploy({"model:1.0.0"});
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(back->components[0].action, Action::kSwitched);
  EXPECT_EQ(back->components[0].previous, "1.1.0");
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
}

TEST(DeployRoot, NoSwitchInstallsOnly) {
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  DeployOptions options;
  options.switch_links = false;
  const auto result = sim.Deploy({"model:1.1.0"}, options);
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->components[0].action, Action::kInstalled);
  EXPECT_EQ(result->generation, std::nullopt);
  EXPECT_THAT(sim.world.files.ReadLink(InRoot("components/model/current")), IsOkAndHolds("1.0.0"));
  const auto again = sim.Deploy({"model:1.1.0"}, options);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->components[0].action, Action::kAlreadyInstalled);
  EXPECT_EQ(again->tx, "");
}

TEST(DeployRoot, ReleaseSwitchesInDependencyOrderInOneGeneration) {  // D28
  ReleaseSim sim;
  const auto result = sim.Deploy({"runtime:1.0.0", "model:1.0.0", "config:1.0.0"});
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->generation, 1u);
  std::vector<std::string> order;
  for (const LinkChange& link : result->links) {
    if (absl::EndsWith(link.path, "/current")) order.push_back(link.path);
  }
  EXPECT_THAT(order, ElementsAre("components/config/current", "components/model/current",
                                 "components/runtime/current"));
  for (const char* type : {"model", "config", "runtime"}) {
    EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, type), "");
  }
}

TEST(DeployRoot, ReleaseWithOneWrongPackageMovesNoLink) {  // D28, D123
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"runtime:1.0.0", "model:1.0.0", "config:1.0.0"}), IsOk());
  TestPackage bad = PackageOf("runtime", "1.1.0");
  std::string& bytes = bad.objects.at(ObjectKey(bad.manifest.component, bad.manifest.package.file));
  bytes[bytes.size() / 2] ^= 1;
  const std::string before = sim.Snapshot();
  sim.repository =
      RepositoryWith({&PackageOf("model", "1.1.0"), &PackageOf("config", "1.1.0"), &bad});
  sim.sources = {{"memory", sim.repository.get()}};
  const auto result = sim.Deploy({"config:1.1.0", "model:1.1.0", "runtime:1.1.0"});
  EXPECT_THAT(result, HasErrorCode("DT007"));
  EXPECT_FALSE(WasRolledBack(result.status()));  // nothing visible had changed
  EXPECT_EQ(ExitCodeOf(result.status()), 3);
  EXPECT_EQ(sim.Snapshot(), before);
}

TEST(DeployRoot, WrongBytesAreKeptAndTheNextSourceIsTried) {  // D23, D43, D123
  ReleaseSim sim;
  TestPackage bad = PackageOf("model", "1.0.0");
  bad.objects.at(ObjectKey(bad.manifest.component, bad.manifest.package.file))[10] ^= 4;
  const auto bad_repository = RepositoryWith({&bad});
  sim.sources.insert(sim.sources.begin(), {"near", bad_repository.get()});
  const auto result = sim.Deploy({"model:1.0.0"});
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->components[0].source, "memory");
  EXPECT_THAT(result->warnings, ElementsAre(HasSubstr("from near")));
  const std::string tree = Everything(sim);
  EXPECT_THAT(tree, HasSubstr("-near-model-1.0.0.tar.gz"));
  EXPECT_THAT(tree, HasSubstr("-near-model-1.0.0.tar.gz.json"));
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
}

TEST(DeployRoot, WrongBytesAreTheErrorAlsoWhereAnotherSourceIsDownOrEmpty) {  // D23, D123
  TestPackage bad = PackageOf("model", "1.0.0");
  bad.objects.at(ObjectKey(bad.manifest.component, bad.manifest.package.file))[10] ^= 4;
  const auto bad_repository = RepositoryWith({&bad});
  const auto empty = RepositoryWith({});
  for (const bool first : {true, false}) {
    ReleaseSim sim;
    sim.sources = {{"empty", empty.get()}};
    sim.sources.insert(first ? sim.sources.begin() : sim.sources.end(),
                       {"near", bad_repository.get()});
    const auto result = sim.Deploy({"model:1.0.0"});
    EXPECT_THAT(result, HasErrorCode("DT007"));
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("from near"));
  }
}

TEST(DeployRoot, OnlyTheNewestThreeBadPackagesOfAComponentStay) {  // D43
  ReleaseSim sim;
  TestPackage bad = PackageOf("model", "1.0.0");
  bad.objects.at(ObjectKey(bad.manifest.component, bad.manifest.package.file))[10] ^= 4;
  const auto bad_repository = RepositoryWith({&bad});
  sim.sources = {{"near", bad_repository.get()}};
  for (int i = 0; i < 5; ++i) {
    sim.world.clock.Advance(absl::Seconds(1));
    EXPECT_THAT(sim.Deploy({"model:1.0.0"}), HasErrorCode("DT007"));
  }
  const std::string tree = Everything(sim);
  size_t kept = 0;
  for (const absl::string_view line : absl::StrSplit(tree, '\n')) {
    kept +=
        absl::StrContains(line, ".deploy-tool/bad/") && absl::StrContains(line, ".json") ? 1 : 0;
  }
  EXPECT_EQ(kept, 3u);
}

TEST(DeployRoot, MissingEverywhereIsNotFound) {  // D21
  ReleaseSim sim;
  const auto empty = RepositoryWith({});
  sim.sources = {{"one", empty.get()}, {"two", empty.get()}};
  const auto result = sim.Deploy({"model:1.0.0"});
  EXPECT_THAT(result, AllOf(HasErrorCode("DT010"), HasHint(Not(IsEmpty()))));
  EXPECT_EQ(ExitCodeOf(result.status()), 6);
}

// D126: the name of the package comes from the manifest only.
TEST(DeployRoot, PackageNameComesFromTheManifest) {
  ReleaseSim sim;
  TestPackage package = PackageOf("model", "1.0.0");
  const std::string old_key = ObjectKey(package.manifest.component, package.manifest.package.file);
  package.manifest.package.file = "odd name.bin";
  package.manifest_text.clear();
  package.objects["model/1.0.0/odd name.bin"] = package.objects.at(old_key);
  package.objects.erase(old_key);
  const auto repository = RepositoryWith({&package});
  sim.sources = {{"memory", repository.get()}};
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  EXPECT_THAT((*root)->Deploy({sim.Input(package)}, {}), IsOk());
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
}

TEST(DeployRoot, DamagedCacheIsFoundAndFetchedAgain) {  // D23
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const std::string sha = PackageOf("model", "1.0.0").manifest.package.sha256;
  const std::string path =
      InRoot(absl::StrCat(".deploy-tool/cache/packages/sha256/", sha.substr(0, 2)));
  const auto dir = sim.world.files.OpenRoot(path);
  ASSERT_THAT(dir, IsOk());
  DeployOptions force;
  force.force = true;
  {
    const auto hit = sim.Deploy({"model:1.0.0"}, force);
    ASSERT_THAT(hit, IsOk());
    EXPECT_TRUE(hit->components[0].cache_hit);
    EXPECT_TRUE(hit->components[0].replaced);
  }
  base::OpenOptions write;
  write.write = true;
  sim.world.clock.Advance(absl::Seconds(1));
  const auto file = (*dir)->Open(sha, write);
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT((*file)->WriteAt(20, base::AsBytes("x")), IsOk());
  const auto again = sim.Deploy({"model:1.0.0"}, force);
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->components[0].cache_hit);
  EXPECT_THAT(again->warnings, ElementsAre(HasSubstr("damaged")));
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
}

// A fetch is done when the package would survive: it may have taken hours.
TEST(DeployRoot, WhatWasFetchedSurvivesPowerLossWhileItIsExtracted) {  // D280, 6.14
  ReleaseSim sim;
  ASSERT_THAT(sim.Open(), IsOk());
  sim.world.files.Settle();
  DeployOptions options;
  bool cut = false;
  options.progress = [&](const Progress& progress) {
    if (progress.phase != Progress::Phase::kExtract || cut) return;
    cut = true;
    sim.world.files.PowerLossAt(1);
  };
  EXPECT_FALSE(sim.Deploy({"model:1.0.0"}, options).ok());
  ASSERT_TRUE(cut);
  const Manifest& manifest = PackageOf("model", "1.0.0").manifest;
  const std::string sha = manifest.package.sha256;
  ReleaseSim after;
  after.Mount(sim.world.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
  EXPECT_THAT(after.world.files.Read(InRoot(
                  absl::StrCat(".deploy-tool/cache/packages/sha256/", sha.substr(0, 2), "/", sha))),
              IsOkAndHolds(PackageOf("model", "1.0.0")
                               .objects.at(ObjectKey({"model", "1.0.0"}, manifest.package.file))));
  const auto again = after.Deploy({"model:1.0.0"});
  ASSERT_THAT(again, IsOk());
  EXPECT_TRUE(again->components[0].cache_hit);
  EXPECT_THAT(again->warnings, IsEmpty());
}

TEST(DeployRoot, ParanoidHashesTheCacheAgain) {  // D23
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const Manifest& manifest = PackageOf("model", "1.0.0").manifest;
  const std::string sha = manifest.package.sha256;
  const std::string path =
      InRoot(absl::StrCat(".deploy-tool/cache/packages/sha256/", sha.substr(0, 2)));
  const auto dir = sim.world.files.OpenRoot(path);
  ASSERT_THAT(dir, IsOk());
  // Damage that leaves size and times as they were, and a stamp that says all is well.
  base::OpenOptions write;
  write.write = true;
  const auto file = (*dir)->Open(sha, write);
  ASSERT_THAT((*file)->WriteAt(20, base::AsBytes("x")), IsOk());
  const auto meta = (*file)->Stat();
  ASSERT_THAT(meta, IsOk());
  const std::string stamp = absl::StrCat(meta->size_bytes, " ", absl::ToUnixNanos(meta->mtime), " ",
                                         absl::ToUnixNanos(meta->ctime), " ", meta->inode, "\n");
  ASSERT_THAT(base::WriteFileDurably(**dir, sha + ".verified", stamp), IsOk());
  DeployOptions options;
  options.force = true;
  EXPECT_THAT(sim.Deploy({"model:1.0.0"}, options), HasErrorCode("DT007"));
  // The damaged package is gone; write it again to see what paranoid does.
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}, options), IsOk());
  options.paranoid = true;
  const auto result = sim.Deploy({"model:1.0.0"}, options);
  ASSERT_THAT(result, IsOk());
  EXPECT_TRUE(result->components[0].cache_hit);
}

TEST(DeployRoot, OtherContentUnderTheSameVersionIsRefusedUnlessForced) {  // D122
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const TestPackage other = MakePackage({"model", "1.0.0"}, {{"name.txt", "other"}});
  const auto repository = RepositoryWith({&other});
  sim.sources = {{"memory", repository.get()}};
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  EXPECT_THAT((*root)->Deploy({sim.Input(other)}, {}),
              AllOf(HasErrorCode("DT012"), HasHint(HasSubstr("--force"))));
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
  DeployOptions options;
  options.force = true;
  ASSERT_THAT((*root)->Deploy({sim.Input(other)}, options), IsOk());
  EXPECT_THAT(sim.world.files.Read(InRoot("components/model/1.0.0/name.txt")),
              IsOkAndHolds("other"));
  EXPECT_FALSE(sim.world.files.Exists(InRoot("components/model/1.0.0/data")));
}

TEST(DeployRoot, FailedRedeployLeavesTheRunningVersion) {  // D122
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const std::string before = sim.Snapshot();
  TestPackage broken = MakePackage({"model", "1.0.0"}, {{"name.txt", "other"}});
  broken.manifest.package.content->tree = "blake3:" + std::string(64, '0');
  const auto repository = RepositoryWith({&broken});
  sim.sources = {{"memory", repository.get()}};
  const auto root = sim.Open();
  ASSERT_THAT(root, IsOk());
  DeployOptions options;
  options.force = true;
  EXPECT_THAT((*root)->Deploy({sim.Input(broken)}, options), HasErrorCode("DT007"));
  EXPECT_EQ(sim.Snapshot(), before);
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
}

TEST(DeployRoot, TouchedVersionIsInstalledAgain) {  // D21
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const auto dir = sim.world.files.OpenRoot(InRoot("components/model/1.0.0"));
  ASSERT_THAT(dir, IsOk());
  sim.world.clock.Advance(absl::Seconds(5));
  ASSERT_THAT((*dir)->Remove("name.txt"), IsOk());
  EXPECT_THAT(sim.Switch("model", "1.0.0"), HasErrorCode("DT007"));
  const auto result = sim.Deploy({"model:1.0.0"});
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->components[0].action, Action::kInstalled);
  EXPECT_THAT(result->warnings, ElementsAre(HasSubstr("not intact")));
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
}

TEST(DeployRoot, DryRunOfEveryChangeWritesNothing) {  // D181
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  const std::string before = Everything(sim);
  const auto root = sim.Open(OpenMode::kRead);
  ASSERT_THAT(root, IsOk());
  DeployOptions deploy;
  deploy.dry_run = true;
  const auto plan = (*root)->Deploy({sim.Input(PackageOf("model", "2.0.0"))}, deploy);
  ASSERT_THAT(plan, IsOk());
  EXPECT_TRUE(plan->dry_run);
  std::vector<std::string> names;
  for (const Step& step : plan->steps) names.push_back(step.name);
  EXPECT_THAT(names, ElementsAre("fetch", "stage", "place", "generation", "switch", "active"));
  EXPECT_EQ(plan->steps[0].bytes, PackageOf("model", "2.0.0").manifest.package.size_bytes);
  ChangeOptions change;
  change.dry_run = true;
  EXPECT_EQ((*root)->Switch("model", "1.0.0", change)->links.size(), 2u);
  RollbackOptions rollback;
  rollback.dry_run = true;
  EXPECT_EQ((*root)->Rollback("model", rollback)->components[0].component.version, "1.0.0");
  EXPECT_EQ((*root)->RollbackGeneration(std::nullopt, rollback)->generation, 3u);
  EXPECT_THAT((*root)->RepairLinks(change), IsOk());
  EXPECT_EQ(Everything(sim), before);
}

TEST(DeployRoot, TooLittleSpaceIsSaidBeforeAnythingIsFetched) {  // D29
  ReleaseSim sim;
  ASSERT_THAT(sim.Open(), IsOk());
  sim.world.files.SetCapacity(10'000);
  TestPackage package = PackageOf("model", "1.0.0");
  package.manifest.package.content->bytes = 50'000'000;
  const std::string before = Everything(sim);
  const auto root = sim.Open(OpenMode::kRead);
  ASSERT_THAT(root, IsOk());
  DeployOptions dry;
  dry.dry_run = true;
  const auto result = (*root)->Deploy({sim.Input(package)}, dry);
  EXPECT_THAT(result, AllOf(HasErrorCode("DT006"), HasHint(Not(IsEmpty()))));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("are needed"));
  EXPECT_EQ(Everything(sim), before);
}

TEST(DeployRoot, WhatIsNoLinkInALinksPlaceIsRefused) {  // D24
  ReleaseSim sim;
  ASSERT_THAT(sim.Open(), IsOk());
  const auto dir = sim.world.files.OpenRoot(kTestRoot);
  ASSERT_THAT(dir, IsOk());
  ASSERT_THAT(base::MakeDirs(**dir, "components/model/current/mine"), IsOk());
  const std::string before = sim.Snapshot();
  const auto result = sim.Deploy({"model:1.0.0"});
  EXPECT_THAT(result, HasErrorCode("DT012"));
  EXPECT_EQ(ExitCodeOf(result.status()), 7);
  EXPECT_EQ(sim.Snapshot(), before);
}

TEST(DeployRoot, LinksWithATrailingSlashAreAccepted) {  // D20
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const auto dir = sim.world.files.OpenRoot(kTestRoot);
  ASSERT_THAT((*dir)->Remove("links/model"), IsOk());
  ASSERT_THAT((*dir)->Symlink("../components/model/current/", "links/model"), IsOk());
  ASSERT_THAT((*dir)->Remove("components/model/current"), IsOk());
  ASSERT_THAT((*dir)->Symlink("1.0.0/", "components/model/current"), IsOk());
  const auto again = sim.Deploy({"model:1.0.0"});
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->tx, "");
}

TEST(DeployRoot, OneTypeNeverChangesAnother) {  // D1
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"config:1.0.0"}), IsOk());
  const auto config = [&] {
    std::string lines;
    const std::string tree = Everything(sim);
    for (const absl::string_view line : absl::StrSplit(tree, '\n')) {
      if (absl::StrContains(line, "config")) absl::StrAppend(&lines, line, "\n");
    }
    return lines;
  };
  const auto inode = [&] {
    return (*sim.world.files.OpenRoot(kTestRoot))->Stat("components/config/1.0.0")->inode;
  };
  const uint64_t before_inode = inode();
  const std::string before = config();
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  std::string after = config();
  // Only the new generation names it.
  EXPECT_THAT(after, HasSubstr("generations/2/config"));
  EXPECT_EQ(inode(), before_inode);
  EXPECT_THAT(sim.world.files.ReadLink(InRoot("components/config/current")), IsOkAndHolds("1.0.0"));
}

}  // namespace
}  // namespace slipway::deploy
