#include "base/sim/files.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/sim/test_files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::sim {
namespace {

using absl::StatusCode;
using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- Faults ----

TEST(SimFiles, AfterThePowerLossEverythingIsUnavailableUntilTheReboot) {
  Files files(1);
  const auto root = Root(files);
  const auto file = Create(*root, "f", "x");
  ASSERT_OK(file->TryLock());
  files.Settle();
  files.PowerLossAt(2);
  EXPECT_OK(root->MakeDir("a"));
  EXPECT_FALSE(files.off());
  EXPECT_THAT(root->MakeDir("b"), StatusIs(StatusCode::kUnavailable));
  EXPECT_TRUE(files.off());
  EXPECT_THAT(root->Stat("f"), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(files.OpenRoot("/"), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(file->Sync(), StatusIs(StatusCode::kUnavailable));
  files.Reboot();
  EXPECT_THAT(file->Sync(), StatusIs(StatusCode::kUnavailable));  // of the boot before
  EXPECT_THAT(root->MakeDir("c"), StatusIs(StatusCode::kUnavailable));
  ASSERT_OK_AND_ASSIGN(const auto again, Root(files)->Open("f", {.write = true}));
  EXPECT_OK(again->TryLock());
}

TEST(SimFiles, TheOperationAtThePowerLossHappensOrNot) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Files files(seed);
    const auto root = Root(files);
    Create(*root, "a", "");
    files.Settle();
    files.PowerLossAt(1);
    EXPECT_FALSE(root->Rename("a", *root, "b", RenameMode::kReplace).ok());
    seen.insert(NamesOf(files, {"a", "b"}));
  }
  EXPECT_THAT(seen, ElementsAre("a", "b"));
}

TEST(SimFiles, FailAtFailsOnceOrForGood) {
  Files files(1);
  const auto root = Root(files);
  files.FailAt(2, ErrnoError(EIO, "disk"));
  EXPECT_OK(root->MakeDir("a"));
  EXPECT_THAT(root->MakeDir("b"), StatusIs(StatusCode::kDataLoss));
  EXPECT_FALSE(files.Exists("b"));
  EXPECT_OK(root->MakeDir("b"));
  files.FailAt(1, ErrnoError(ENOSPC, "disk"), /*sticky=*/true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(root->MakeDir("c"), StatusIs(StatusCode::kResourceExhausted));
  }
  EXPECT_OK(root->Remove("b"));  // a full disk can be emptied
  EXPECT_OK(root->Sync());
  files.FailAt(1, ErrnoError(EIO, "disk"), /*sticky=*/true);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(root->Remove("a"), StatusIs(StatusCode::kDataLoss));
  files.ClearFaults();
  EXPECT_OK(root->Remove("a"));
  EXPECT_EQ(files.counts().faults.failed, 4u);
  EXPECT_EQ(files.counts().faults.full, 3u);
  EXPECT_EQ(files.counts().faults.syncs_failed, 0u);
  EXPECT_EQ(files.counts().faults.power_lost, 0u);
}

TEST(SimFiles, AFailedWriteMayHaveWrittenAPart) {
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Files files(seed);
    const auto file = Create(*Root(files), "f", "");
    files.FailAt(1, ErrnoError(ENOSPC, "disk"));
    EXPECT_FALSE(file->WriteAt(0, AsBytes("0123456789")).ok());
    sizes.insert(files.Read("f")->size());
  }
  EXPECT_GT(sizes.size(), 5u);
  EXPECT_EQ(sizes.count(10), 0u);
}

TEST(SimFiles, AFailedSyncIsNotRetriedIntoSuccess) {
  Files files(1);
  const auto root = Root(files);
  const auto file = Create(*root, "f", "old");
  files.Settle();
  ASSERT_OK(file->WriteAt(0, AsBytes("new")));
  ASSERT_OK(root->MakeDir("d"));
  files.FailAt(1, ErrnoError(EIO, "disk"));
  EXPECT_THAT(file->Sync(), StatusIs(StatusCode::kDataLoss));
  files.FailAt(1, ErrnoError(EIO, "disk"));
  EXPECT_THAT(root->Sync(), StatusIs(StatusCode::kDataLoss));
  EXPECT_OK(file->Sync());  // says so
  EXPECT_OK(root->Sync());
  EXPECT_THAT(files.Read("f"), IsOkAndHolds("new"));
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(), "file 0644 f \"old\"\n");
}

TEST(SimFiles, ANameThatIsWrittenAgainAfterAFailedSyncIsDurable) {
  Files files(1);
  const auto root = Root(files);
  files.Settle();
  ASSERT_OK(root->MakeDir("d"));
  ASSERT_OK(root->MakeDir("other"));
  files.FailAt(1, ErrnoError(EIO, "disk"));
  EXPECT_FALSE(root->Sync().ok());
  ASSERT_OK(root->Remove("d"));
  ASSERT_OK(root->MakeDir("d"));
  ASSERT_OK(root->Sync());
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(), "dir  0755 d\n");
}

TEST(SimFiles, ADirectoryWhoseSyncFailedCanBeRemovedAndMadeAnew) {
  Files files(1);
  const auto root = Root(files);
  files.Settle();
  ASSERT_OK(root->MakeDir("new"));
  Create(*root, "new/f", "first")->Sync().IgnoreError();
  {
    const auto made = root->OpenDir("new");
    ASSERT_OK(made);
    ASSERT_OK_AND_ASSIGN(const auto temp, (*made)->CreateTemp());
    ASSERT_OK((*made)->Publish(*temp, "f", RenameMode::kReplace));
    files.FailAt(1, ErrnoError(EIO, "disk"));
    EXPECT_FALSE((*made)->Sync().ok());
  }
  ASSERT_OK(root->Remove("new/f"));
  ASSERT_OK(root->Remove("new"));
  ASSERT_OK(root->Sync());
  ASSERT_OK(root->MakeDir("new"));
  ASSERT_OK(root->Rename("new", *root, "d", RenameMode::kNoReplace));
  ASSERT_OK(root->Sync());
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(), "dir  0755 d\n");
}

TEST(SimFiles, ALyingDiskSaysOkAndForgets) {
  for (const Lie lie : {Lie::kFileSync, Lie::kDirSync, Lie::kEverySync}) {
    Files files(1);
    files.SetLie(lie);
    EXPECT_OK(WriteFileDurably(*Root(files), "f", "x"));
    const Files after = files.AfterReboot(Loss::kLoseAllUnsynced);
    EXPECT_EQ(after.Exists("f"), lie == Lie::kFileSync);
    if (after.Exists("f")) {
      EXPECT_THAT(after.Read("f"), IsOkAndHolds(""));
    }
  }
}

TEST(SimFiles, ReadsCountAndFailWhenAsked) {
  Files files(1);
  const auto root = Root(files);
  Create(*root, "f", "x");
  const int before = files.operations();
  EXPECT_OK(ReadFile(*root, "f", 10));
  EXPECT_EQ(files.operations(), before);
  files.CountReads(true);
  for (int n = 1;; ++n) {
    files.FailAt(n, ErrnoError(EIO, "disk"));
    const auto text = ReadFile(*root, "f", 10);
    if (text.ok()) break;
    EXPECT_THAT(text, StatusIs(StatusCode::kDataLoss));
    ASSERT_LT(n, 10);
  }
  EXPECT_GT(files.operations(), before + 3);
}

TEST(SimFiles, TheTraceTellsEachOperation) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(MakeDirs(*root, "components/model"));
  ASSERT_OK_AND_ASSIGN(const auto model, root->OpenDir("components/model"));
  const auto file = Create(*model, "f", "12345");
  ASSERT_OK(file->Sync());
  ASSERT_OK(model->Rename("f", *root, "g", RenameMode::kReplace));
  ASSERT_OK(root->Symlink("x", "l"));
  files.FailAt(1, ErrnoError(EIO, "disk"));
  EXPECT_FALSE(model->Sync().ok());
  files.PowerLossAt(1);
  EXPECT_FALSE(root->Remove("l").ok());
  EXPECT_THAT(files.trace(),
              ElementsAre("mkdir components", "mkdir components/model", "create components/model/f",
                          "write components/model/f 0 +5", "fsync components/model/f",
                          "rename components/model/f -> g", "symlink l",
                          "fsync components/model (failed)", "remove l (power lost)"));
}

TEST(SimFiles, WriteFileDurablyLeavesOldOrNewAtEveryOperation) {
  Files before(1);
  ASSERT_OK(WriteFileDurably(*Root(before), "f", "old"));
  before.Settle();
  int n = 1;
  for (;; ++n) {
    Files files = before;
    files.PowerLossAt(n);
    const absl::Status written = WriteFileDurably(*Root(files), "f", std::string(5000, 'n'));
    for (uint64_t attempt = 0; attempt < 20; ++attempt) {
      const auto text = files.AfterReboot(Loss::kSeeded, attempt).Read("f");
      ASSERT_THAT(text, IsOkAndHolds(AnyOf("old", std::string(5000, 'n')))) << n;
      if (written.ok()) {
        ASSERT_EQ(text->size(), 5000u);
      }
    }
    if (!files.off()) break;
  }
  EXPECT_EQ(n, 7);  // create, write, attributes, sync, publish, sync; then none is left
}

// ---- Determinism ----

std::string RandomRun(uint64_t seed) {
  Files files(seed);
  Stream choices(seed);
  std::string log;
  for (int boot = 0; boot < 5; ++boot) {
    files.PowerLossAt(20 + static_cast<int>(choices.Below(20)));
    const Owned<Dir> root = files.OpenRoot("/");
    EXPECT_OK(root);
    while (!files.off()) {
      const std::string a = absl::StrCat("n", choices.Below(6)),
                        b = absl::StrCat("n", choices.Below(6));
      switch (choices.Below(6)) {
        case 0:
          (*root)->MakeDir(a).IgnoreError();
          break;
        case 1:
          (*root)->Remove(a).IgnoreError();
          break;
        case 2:
          (*root)->Rename(a, **root, b, RenameMode::kReplace).IgnoreError();
          break;
        case 3:
          (*root)->Sync().IgnoreError();
          break;
        default:
          if (const auto file = (*root)->Open(a, kCreate); file.ok()) {
            (*file)->WriteAt(choices.Below(3000), AsBytes(std::string(1000, a[1]))).IgnoreError();
          }
      }
    }
    absl::StrAppend(&log, absl::StrJoin(files.trace(), "\n"), "\n");
    files.Reboot();
    absl::StrAppend(&log, files.Tree());
  }
  return log;
}

TEST(SimFiles, TheSeedDecidesEverything) {
  std::set<std::string> runs;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::string run = RandomRun(seed);
    EXPECT_EQ(run, RandomRun(seed));
    runs.insert(run);
  }
  EXPECT_EQ(runs.size(), 20u);
}

TEST(SimFiles, CopiesAreIndependent) {
  Files files(1);
  const auto root = Root(files);
  const auto file = Create(*root, "f", "x");
  ASSERT_OK(file->TryLock());
  Files copy = files;
  ASSERT_OK_AND_ASSIGN(const auto other, Root(copy)->Open("f", {.write = true}));
  EXPECT_OK(other->TryLock());
  ASSERT_OK(other->WriteAt(0, AsBytes("y")));
  EXPECT_THAT(files.Read("f"), IsOkAndHolds("x"));
  EXPECT_THAT(copy.Read("f"), IsOkAndHolds("y"));
}

TEST(SimFiles, TheOrderOfAListingIsNotToBeReliedOn) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Files files(seed);
    const auto root = Root(files);
    for (const char* name : {"a", "b", "c", "d"}) ASSERT_OK(root->MakeDir(name));
    ASSERT_OK_AND_ASSIGN(const auto cursor, root->List());
    std::string order;
    for (int i = 0; i < 4; ++i) order += cursor->Next()->value().name;
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 5u);
}

// ---- Limits and users ----

TEST(SimFiles, AFullDiskTakesWhatFits) {
  Files files(1);
  files.SetCapacity(8192, 4);
  const auto root = Root(files);
  auto file = Create(*root, "f", std::string(4096, 'x'));
  EXPECT_THAT(file->WriteAt(4096, AsBytes(std::string(8192, 'y'))),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(files.Read("f")->size(), 8192u);
  EXPECT_OK(file->WriteAt(0, AsBytes("over what is there")));
  ASSERT_OK_AND_ASSIGN(const Space full, root->FreeSpace());
  EXPECT_EQ(full.free_bytes, 0u);
  EXPECT_EQ(full.total_bytes, 8192u);
  EXPECT_EQ(full.free_inodes, 2u);
  ASSERT_OK(root->Remove("f"));  // but it is still open
  EXPECT_EQ(root->FreeSpace()->free_bytes, 0u);
  file.reset();
  EXPECT_EQ(root->FreeSpace()->free_bytes, 8192u);
  for (const char* name : {"a", "b", "c"}) ASSERT_OK(root->MakeDir(name));
  EXPECT_THAT(root->MakeDir("d"), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(root->CreateTemp(), StatusIs(StatusCode::kResourceExhausted));
}

TEST(SimFiles, PermissionsHoldForOthersThanRoot) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->MakeDir("private", 0700));
  ASSERT_OK(root->MakeDir("public", 0755));
  ASSERT_OK(root->MakeDir("sticky"));
  ASSERT_OK(root->SetMeta("sticky", {.mode = 01777, .mtime = {}, .xattrs = {}}));
  Create(*root, "public/f", "x");
  Create(*root, "sticky/f", "x");
  files.SetCaller({.uid = 1000, .gid = 1000, .pid = 7});
  const auto denied = StatusIs(StatusCode::kPermissionDenied);
  EXPECT_THAT(root->OpenDir("private"), denied);
  EXPECT_THAT(root->Stat("private/x"), denied);
  EXPECT_THAT(root->MakeDir("public/x"), denied);
  EXPECT_THAT(root->Remove("public/f"), denied);
  EXPECT_THAT(root->Remove("sticky/f"), denied);
  EXPECT_THAT(root->Open("public/f", {.write = true}), denied);
  EXPECT_THAT(root->SetMeta("public/f", {.mode = 0777, .mtime = {}, .xattrs = {}}), denied);
  EXPECT_OK(root->Open("public/f", {}));
  EXPECT_OK(root->MakeDir("sticky/mine"));
  ASSERT_OK_AND_ASSIGN(const Meta mine, root->Stat("sticky/mine"));
  EXPECT_EQ(mine.uid, 1000u);
  EXPECT_OK(root->Remove("sticky/mine"));
}

TEST(SimFiles, ALockNamesItsHolder) {
  Files files(1);
  files.SetCaller({.uid = 0, .gid = 0, .pid = 4711});
  const auto root = Root(files);
  const auto first = Create(*root, "f", "");
  ASSERT_OK(first->TryLock());
  ASSERT_OK_AND_ASSIGN(const auto second, root->Open("f", {}));
  EXPECT_THAT(second->TryLock(), StatusIs(StatusCode::kAborted, HasSubstr("4711")));
}

// ---- Damage (E201) ----

TEST(SimFiles, PowerOffEndsAllCallsBetweenTwoOperations) {
  Files files(1);
  const auto root = Root(files);
  files.Settle();
  files.PowerOff();
  EXPECT_TRUE(files.off());
  EXPECT_THAT(root->MakeDir("a"), StatusIs(StatusCode::kUnavailable));
  files.Reboot(Loss::kKeepAll);
  EXPECT_OK(Root(files)->MakeDir("a"));
}

TEST(SimFiles, AFlippedBitIsReadAndStays) {
  Files files(1);
  const auto root = Root(files);
  const auto file = Create(*root, "f", "abc");
  Create(*root, "empty", "");
  files.Settle();
  ASSERT_OK(files.FlipBit("f", 8 + 24 * 7));  // modulo 24 bits: the lowest of the second byte
  EXPECT_THAT(files.Read("f"), IsOkAndHolds("acc"));
  files.Reboot(Loss::kLoseAllUnsynced);
  EXPECT_THAT(files.Read("f"), IsOkAndHolds("acc"));
  EXPECT_THAT(files.FlipBit("empty", 1), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(files.FlipBit("none", 1), StatusIs(StatusCode::kNotFound));
}

TEST(SimFiles, AMisdirectedWriteIsSeenAfterTheRebootNotToBeThereButElsewhere) {
  std::set<std::string> hit;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Files files(seed);
    const auto root = Root(files);
    const auto file = Create(*root, "f", std::string(512, 'o'));
    Create(*root, "other", std::string(1024, 'o'));
    files.Settle();
    files.MisdirectAt(1);
    ASSERT_OK(file->WriteAt(0, AsBytes(std::string(512, 'n'))));
    ASSERT_OK(file->Sync());
    EXPECT_THAT(files.Read("f"), IsOkAndHolds(std::string(512, 'n')));  // of the cache
    EXPECT_THAT(files.Read("other"), IsOkAndHolds(std::string(1024, 'o')));
    files.Reboot();
    const std::string bytes = *files.Read("f") + *files.Read("other");
    EXPECT_EQ(bytes.size(), 1536u);
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 'n'), 512);
    hit.insert(absl::StrCat(bytes.find('n') / 512));
  }
  EXPECT_THAT(hit, ElementsAre("0", "1", "2"));
}

TEST(SimFiles, UnsyncedWritesSurviveOutOfOrderAndTornBySectors) {
  bool later_without_earlier = false, torn_in_the_middle = false;
  for (uint64_t attempt = 0; attempt < 300; ++attempt) {
    Files files(attempt);
    const auto root = Root(files);
    const auto file = Create(*root, "f", std::string(8192, '0'));
    files.Settle();
    ASSERT_OK(file->WriteAt(0, AsBytes(std::string(2048, '1'))));
    ASSERT_OK(file->WriteAt(4096, AsBytes(std::string(2048, '2'))));
    files.Reboot();
    std::string sectors;
    const std::string bytes = *files.Read("f");
    for (size_t at = 0; at < bytes.size(); at += 512) {
      sectors += bytes[at];
      EXPECT_EQ(bytes.substr(at, 512), std::string(512, bytes[at]));
    }
    later_without_earlier |= sectors.substr(0, 4) == "0000" && sectors.substr(8, 4) == "2222";
    const uint64_t lost = sectors.find('0') < 4 || sectors.substr(8, 4).find('0') < 4 ? 1 : 0;
    EXPECT_GE(files.counts().losses.writes_lost, lost) << sectors;
    const bool torn = sectors.substr(0, 4).find_first_not_of(sectors[0]) < 4 ||
                      sectors.substr(8, 4).find_first_not_of(sectors[8]) < 4;
    EXPECT_EQ(files.counts().losses.writes_torn > 0, torn) << sectors;
    torn_in_the_middle |= sectors.substr(0, 4) == "1001" || sectors.substr(0, 4) == "0110";
  }
  EXPECT_TRUE(later_without_earlier);
  EXPECT_TRUE(torn_in_the_middle);
}

TEST(SimFiles, FilesAreListedWithTheirSizes) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->MakeDir("d"));
  Create(*root, "d/f", "abc");
  Create(*root, "a", "");
  EXPECT_THAT(files.List(), ElementsAre(std::pair<std::string, uint64_t>("a", 0),
                                        std::pair<std::string, uint64_t>("d/f", 3)));
  files.KeepTrace(false);
  const size_t before = files.trace().size();
  ASSERT_OK(root->MakeDir("e"));
  EXPECT_EQ(files.trace().size(), before);
}

}  // namespace
}  // namespace slipway::base::sim
