#include "base/sim/files.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/sim/test_files.h"
#include "base/testing/forwarding_files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::sim {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What `describe` says of the disk after many reboots, each with other choices.
template <class F>
std::set<std::string> Outcomes(const Files& files, Loss loss, F describe) {
  std::set<std::string> seen;
  for (uint64_t attempt = 0; attempt < 200; ++attempt) {
    seen.insert(describe(files.AfterReboot(loss, attempt)));
  }
  return seen;
}

// ---- What is durable ----

TEST(SimFiles, BytesAreDurableAfterFileSyncOnly) {
  Files files(1);
  const auto root = Root(files);
  const auto file = Create(*root, "f", "one");
  ASSERT_OK(file->Sync());
  ASSERT_OK(root->Sync());
  ASSERT_OK(file->WriteAt(3, AsBytes("two")));
  ASSERT_OK(file->SetMeta({.mode = 0600, .mtime = {}, .xattrs = Xattrs{{"user.a", "1"}}}));
  ASSERT_OK(root->Sync());  // of the directory: not of the file
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(), "file 0644 f \"one\"\n");
  ASSERT_OK(file->Sync());
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(),
            "file 0600 f \"onetwo\"\nattr      f user.a=\"1\"\n");
}

TEST(SimFiles, NamesAreDurableAfterSyncOfTheirDirectoryOnly) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->MakeDir("d"));
  const auto file = Create(*root, "d/f", "x");
  ASSERT_OK(file->Sync());
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(), "");
  ASSERT_OK_AND_ASSIGN(const auto d, root->OpenDir("d"));
  ASSERT_OK(d->Sync());  // the name is durable in a directory that is not
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(), "");
  ASSERT_OK(root->Sync());
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(), "dir  0755 d\nfile 0644 d/f \"x\"\n");
}

TEST(SimFiles, SyncOfADirectoryDoesNotReachBelowIt) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->MakeDir("d"));
  ASSERT_OK(root->MakeDir("d/e"));
  ASSERT_OK(root->Symlink("to", "link"));
  Create(*root, "f", "x");
  ASSERT_OK(root->Sync());
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(),
            "dir  0755 d\nfile 0644 f \"\"\nlink      link -> to\n");
}

TEST(SimFiles, TheTimeOfALinkIsDurableAfterSyncOfItsDirectory) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->Symlink("to", "link"));
  files.Settle();
  const absl::Time time = absl::FromUnixSeconds(1'600'000'000);
  ASSERT_OK(root->SetMeta("link", {.mode = {}, .mtime = time, .xattrs = {}}));
  const auto time_of = [](Files after) { return Root(after)->Stat("link")->mtime; };
  EXPECT_NE(time_of(files.AfterReboot(Loss::kLoseAllUnsynced)), time);
  ASSERT_OK(root->Sync());
  EXPECT_EQ(time_of(files.AfterReboot(Loss::kLoseAllUnsynced)), time);
}

TEST(SimFiles, WhatWasRemovedAndForgottenChangesNothingOfTheRest) {
  Files files(1);
  const auto root = Root(files);
  const auto kept = Create(*root, "kept", "old");
  Create(*root, "removed", "x");
  files.Settle();
  ASSERT_OK(kept->WriteAt(0, AsBytes("new")));
  ASSERT_OK(root->MakeDir("d"));
  ASSERT_OK_AND_ASSIGN(const auto dir, root->OpenDir("d"));
  ASSERT_OK(root->Sync());
  ASSERT_OK(root->Remove("removed"));
  const auto unsynced = Create(*root, "unsynced", "y");
  // Enough of them that the disk forgets the first.
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(Create(*dir, "f", "z")->Sync());
    ASSERT_OK(dir->Sync());
    ASSERT_OK(dir->Remove("f"));
    ASSERT_OK(dir->Sync());
  }
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(),
            "dir  0755 d\nfile 0644 kept \"old\"\nfile 0644 removed \"x\"\n");
  ASSERT_OK(kept->Sync());
  ASSERT_OK(unsynced->Sync());
  ASSERT_OK(root->Sync());
  EXPECT_EQ(files.AfterReboot(Loss::kLoseAllUnsynced).Tree(),
            "dir  0755 d\nfile 0644 kept \"new\"\nfile 0644 unsynced \"y\"\n");
}

TEST(RemoveTree, EndsAtALimitOfDepth) {
  Files files(1);
  auto dir = Root(files);
  const auto root = Root(files);
  for (int depth = 0; depth < 1100; ++depth) {
    ASSERT_OK(dir->MakeDir("d"));
    ASSERT_OK_AND_ASSIGN(dir, dir->OpenDir("d"));
  }
  EXPECT_THAT(RemoveTree(*root, "d"), StatusIs(absl::StatusCode::kFailedPrecondition,
                                               HasSubstr("nested deeper than 1024")));
  EXPECT_OK(root->Stat("d"));
}

// What is called `mount` in it, at any depth, stands on another file system.
class DirWithMounts : public testing::ForwardingDir {
 public:
  using ForwardingDir::ForwardingDir;
  Owned<Dir> OpenDir(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<Dir> dir, ForwardingDir::OpenDir(path));
    return std::make_unique<DirWithMounts>(std::move(dir));
  }
  absl::StatusOr<Meta> Stat(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(Meta meta, ForwardingDir::Stat(path));
    if (SplitPath(path).second == "mount") ++meta.device;
    return meta;
  }
};

TEST(RemoveTree, DoesNotCrossAMount) {
  Files files(1);
  DirWithMounts root(Root(files));
  ASSERT_OK(MakeDirs(root, "t/a/mount/below"));
  EXPECT_THAT(RemoveTree(root, "t"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another file system")));
  EXPECT_OK(root.Stat("t/a/mount/below"));
}

TEST(SimFiles, RemovalIsUndoneUnlessSynced) {
  Files files(1);
  const auto root = Root(files);
  Create(*root, "f", "x");
  files.Settle();
  ASSERT_OK(root->Remove("f"));
  EXPECT_FALSE(files.Exists("f"));
  EXPECT_THAT(files.AfterReboot(Loss::kLoseAllUnsynced).Read("f"), IsOkAndHolds("x"));
  ASSERT_OK(root->Sync());
  for (const Loss loss : kEveryLoss) EXPECT_FALSE(files.AfterReboot(loss).Exists("f"));
}

TEST(SimFiles, SyncFilesystemMakesAllDurable) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(MakeDirs(*root, "a/b"));
  Create(*root, "a/b/f", "x");
  ASSERT_OK(root->Rename("a/b", *root, "c", RenameMode::kReplace));
  ASSERT_OK(root->SyncFilesystem());
  for (const Loss loss : kEveryLoss) EXPECT_EQ(files.AfterReboot(loss).Tree(), files.Tree());
}

TEST(SimFiles, AKilledProcessLosesNothingButStaysUnsynced) {
  Files files(1);
  Create(*Root(files), "f", "x");
  files.Reboot(Loss::kKeepAll);
  EXPECT_THAT(files.Read("f"), IsOkAndHolds("x"));
  files.Reboot(Loss::kLoseAllUnsynced);
  EXPECT_FALSE(files.Exists("f"));
}

// ---- What a power loss may leave ----

TEST(SimFiles, WritesTearAtSectors) {
  Files files(1);
  const auto root = Root(files);
  const auto file = Create(*root, "f", std::string(2048, 'o'));
  files.Settle();
  ASSERT_OK(file->WriteAt(0, AsBytes(std::string(2048, 'n'))));
  const auto seen = Outcomes(files, Loss::kSeeded, [](const Files& after) {
    const std::string text = *after.Read("f");
    std::string sectors;
    for (size_t at = 0; at < text.size(); at += 512) {
      EXPECT_EQ(text.substr(at, 512), std::string(512, text[at]));
      sectors += text[at];
    }
    return sectors;
  });
  EXPECT_TRUE(seen.count("oooo"));
  EXPECT_TRUE(seen.count("nnnn"));
  EXPECT_TRUE(seen.count("onon") || seen.count("noon") || seen.count("onno"));
  const auto ordered = Outcomes(files, Loss::kOrdered, [](const Files& after) {
    const std::string text = *after.Read("f");
    EXPECT_THAT(text.find('o'), AnyOf(0u, 512u, 1024u, 1536u, std::string::npos));
    EXPECT_EQ(text.find('n', std::min(text.size(), text.find('o'))), std::string::npos);
    return text;
  });
  EXPECT_EQ(ordered.size(), 5u);
}

TEST(SimFiles, AFileThatGrewMayHoldZeros) {
  Files files(1);
  const auto file = Create(*Root(files), "f", "");
  files.Settle();
  ASSERT_OK(file->WriteAt(0, AsBytes(std::string(1024, 'x'))));
  const auto seen =
      Outcomes(files, Loss::kSeeded, [](const Files& after) { return *after.Read("f"); });
  EXPECT_TRUE(seen.count(""));
  EXPECT_TRUE(seen.count(std::string(1024, '\0')));
  EXPECT_TRUE(seen.count(std::string(512, '\0') + std::string(512, 'x')));
}

TEST(SimFiles, NamesAreLostOneByOneOrFromTheEnd) {
  Files files(1);
  const auto root = Root(files);
  for (const char* name : {"a", "b", "c"}) Create(*root, name, "");
  const auto describe = [](const Files& after) { return NamesOf(after, {"a", "b", "c"}); };
  EXPECT_THAT(Outcomes(files, Loss::kSeeded, describe),
              ElementsAre("", "a", "a b", "a b c", "a c", "b", "b c", "c"));
  EXPECT_THAT(Outcomes(files, Loss::kOrdered, describe), ElementsAre("", "a", "a b", "a b c"));
}

TEST(SimFiles, DirectoriesLoseIndependently) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->MakeDir("x"));
  ASSERT_OK(root->MakeDir("y"));
  files.Settle();
  Create(*root, "x/early", "");
  Create(*root, "y/late", "");
  const auto seen = Outcomes(files, Loss::kOrdered, [](const Files& after) {
    return NamesOf(after, {"x/early", "y/late"});
  });
  EXPECT_THAT(seen, ElementsAre("", "x/early", "x/early y/late", "y/late"));
}

TEST(SimFiles, ARenameIsWholeOrNotAtAll) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->MakeDir("x"));
  ASSERT_OK(root->MakeDir("y"));
  Create(*root, "x/f", "new");
  Create(*root, "y/g", "old");
  files.Settle();
  ASSERT_OK(root->Rename("x/f", *root, "y/g", RenameMode::kReplace));
  for (const Loss loss : {Loss::kSeeded, Loss::kOrdered}) {
    const auto seen = Outcomes(files, loss, [](const Files& after) {
      return absl::StrCat(NamesOf(after, {"x/f", "y/g"}), ":", *after.Read("y/g"));
    });
    EXPECT_THAT(seen, ElementsAre("x/f y/g:old", "y/g:new"));
  }
  // A sync of either directory makes both halves durable.
  ASSERT_OK_AND_ASSIGN(const auto x, root->OpenDir("x"));
  ASSERT_OK(x->Sync());
  EXPECT_THAT(files.AfterReboot(Loss::kLoseAllUnsynced).Read("y/g"), IsOkAndHolds("new"));
}

TEST(SimFiles, AnExchangeIsWholeOrNotAtAll) {
  Files files(1);
  const auto root = Root(files);
  ASSERT_OK(root->Symlink("1.0", "current"));
  ASSERT_OK(root->Symlink("1.1", "next"));
  files.Settle();
  ASSERT_OK(root->Rename("current", *root, "next", RenameMode::kExchange));
  const auto seen = Outcomes(files, Loss::kSeeded, [](const Files& after) {
    return *after.ReadLink("current") + " " + *after.ReadLink("next");
  });
  EXPECT_THAT(seen, ElementsAre("1.0 1.1", "1.1 1.0"));
}

TEST(SimFiles, WhatMovesIntoANewDirectoryIsNotLostWithIt) {
  Files files(1);
  const auto root = Root(files);
  Create(*root, "f", "x");
  files.Settle();
  ASSERT_OK(root->MakeDir("new"));
  ASSERT_OK(root->Rename("f", *root, "new/f", RenameMode::kReplace));
  ASSERT_OK_AND_ASSIGN(const auto made, root->OpenDir("new"));
  ASSERT_OK(made->Sync());  // and no sync of the root
  for (const Loss loss : kEveryLoss) {
    EXPECT_THAT(files.AfterReboot(loss).Read("new/f"), IsOkAndHolds("x"));
  }
}

TEST(SimFiles, WhatLeftADirectoryBeforeItWasRemovedIsNotLostWithIt) {
  Files files(1);
  const auto root = Root(files);
  for (const char* path : {"p", "p/d", "q"}) ASSERT_OK(root->MakeDir(path));
  Create(*root, "p/d/f", "x");
  files.Settle();
  ASSERT_OK(root->Rename("p/d/f", *root, "q/f", RenameMode::kReplace));
  ASSERT_OK(root->Remove("p/d"));
  ASSERT_OK_AND_ASSIGN(const auto p, root->OpenDir("p"));
  ASSERT_OK(p->Sync());
  EXPECT_THAT(files.AfterReboot(Loss::kLoseAllUnsynced).Read("q/f"), IsOkAndHolds("x"));
}

// Only renames, of files and directories at random, with syncs here and there: whatever is lost,
// each file has exactly one name afterwards, and keeps its bytes.
TEST(SimFiles, RenamesLoseAndDoubleNothing) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Files files(seed);
    Stream choices(seed);
    const auto root = Root(files);
    std::vector<std::string> places = {"", "a/", "b/", "c/", "a/d/", "d/", "e/"};
    for (const char* path : {"a", "b", "c", "a/d", "d", "e"}) ASSERT_OK(root->MakeDir(path));
    for (int i = 0; i < 6; ++i) {
      Create(*root, absl::StrCat(places[static_cast<size_t>(i)], "f", i),
             absl::StrCat("<", i, ">"));
    }
    files.Settle();
    const auto pick = [&] {
      const std::string place = places[static_cast<size_t>(choices.Below(places.size()))];
      constexpr const char* kNames[] = {"f0", "f1", "f2", "f3", "f4", "f5",
                                        "a",  "b",  "c",  "d",  "e"};
      return place + kNames[choices.Below(11)];
    };
    for (int i = 0; i < 120; ++i) {
      const RenameMode mode = choices.Chance(20) ? RenameMode::kExchange : RenameMode::kNoReplace;
      root->Rename(pick(), *root, pick(), mode).IgnoreError();
      if (!choices.Chance(15)) continue;
      const auto dir =
          root->OpenDir(places[static_cast<size_t>(choices.Below(places.size()))].substr(0, 1));
      if (dir.ok()) {
        ASSERT_OK((*dir)->Sync());
      }
    }
    for (uint64_t attempt = 0; attempt < 10; ++attempt) {
      for (const Loss loss : kEveryLoss) {
        const std::string tree = files.AfterReboot(loss, attempt).Tree();
        for (int i = 0; i < 6; ++i) {
          const std::vector<std::string> parts = absl::StrSplit(tree, absl::StrCat("<", i, ">"));
          ASSERT_EQ(parts.size(), 2u) << "file " << i << " seed " << seed << "\n" << tree;
        }
      }
    }
  }
}

TEST(SimFiles, SyncDataKeepsBytesAndSizeButNotAttributes) {
  Files files(1);
  const auto root = Root(files);
  const auto file = Create(*root, "f", "old");
  files.Settle();
  ASSERT_OK(file->SetMeta({.mode = 0600}));
  ASSERT_OK(file->WriteAt(0, AsBytes("newer")));
  ASSERT_OK(file->SyncData());
  const Files after = files.AfterReboot(Loss::kLoseAllUnsynced);
  EXPECT_THAT(after.Read("f"), ::slipway::base::testing::IsOkAndHolds("newer"));
  EXPECT_EQ(after.Tree().find("0600"), std::string::npos);
  ASSERT_OK(file->Sync());
  const Files synced = files.AfterReboot(Loss::kLoseAllUnsynced);
  EXPECT_NE(synced.Tree().find("600"), std::string::npos) << synced.Tree();
}

}  // namespace
}  // namespace slipway::base::sim
