// The part of the contract about what base/files.cc builds on an implementation.
#include <gmock/gmock.h>

#include "base/testing/files_contract.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::testing {

using absl::StatusCode;
using ::testing::HasSubstr;

void LinkFilesHelpersContract() {}

namespace {

TEST_P(FilesContract, WriteFileDurablyReplacesWhole) {
  EXPECT_OK(WriteFileDurably(dir(), "f", "one", 0640));
  EXPECT_OK(WriteFileDurably(dir(), "f", "2"));
  EXPECT_EQ(Read("f"), "2");
  EXPECT_THAT(WriteFileDurably(dir(), "f", "3", 0644, RenameMode::kNoReplace),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_EQ(Read("f"), "2");
  EXPECT_EQ(Names(dir()), "f");
}

TEST_P(FilesContract, ReadFileHasALimit) {
  Put("f", "12345");
  EXPECT_THAT(ReadFile(dir(), "f", 5), IsOkAndHolds("12345"));
  EXPECT_THAT(ReadFile(dir(), "f", 4), StatusIs(StatusCode::kResourceExhausted, HasSubstr("4")));
  EXPECT_THAT(ReadFile(dir(), "missing", 4), StatusIs(StatusCode::kNotFound));
}

TEST_P(FilesContract, RemoveTreeTakesAllOfItAndNothingElse) {
  Put("keep", "x");
  for (const char* path : {"t", "t/a", "t/a/b", "t/locked"}) ASSERT_OK(dir().MakeDir(path));
  for (const char* path : {"t/f", "t/a/f", "t/locked/f"}) Put(path, "x");
  ASSERT_OK(dir().Symlink("../keep", "t/link"));
  ASSERT_OK(dir().Symlink(root(), "t/loop"));
  ASSERT_OK(dir().SetMeta("t/locked", {.mode = 0500, .mtime = {}, .xattrs = {}}));
  EXPECT_OK(RemoveTree(dir(), "t"));
  EXPECT_EQ(Names(dir()), "keep");
  EXPECT_OK(RemoveTree(dir(), "t"));
  EXPECT_OK(RemoveTree(dir(), "keep"));
  EXPECT_EQ(Names(dir()), "");
}

TEST_P(FilesContract, MakeDirsMakesWhatIsMissing) {
  EXPECT_OK(MakeDirs(dir(), "a/b/c"));
  EXPECT_OK(MakeDirs(dir(), "a/b/c"));
  EXPECT_OK(MakeDirs(dir(), "a/b/d"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> b, dir().OpenDir("a/b"));
  EXPECT_EQ(Names(*b), "c/ d/");
  Put("a/f", "");
  EXPECT_THAT(MakeDirs(dir(), "a/f/x"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_FALSE(MakeDirs(dir(), "a/../x").ok());
}

TEST_P(FilesContract, RootsFollowTheUsersLinks) {
  ASSERT_OK(dir().MakeDir("real"));
  Put("real/f", "text");
  ASSERT_OK(dir().Symlink("real", "link"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> linked, files().OpenRoot(root() + "/link"));
  EXPECT_EQ(Names(*linked), "f");
  EXPECT_THAT(files().OpenRoot(root() + "/missing"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(files().OpenRoot(root() + "/real/f"), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> made, files().MakeRoot(root() + "/x/y"));
  ASSERT_OK(files().MakeRoot(root() + "/x/y"));
  ASSERT_OK_AND_ASSIGN(const Meta mode, dir().Stat("x"));
  EXPECT_EQ(mode.mode & 0700, 0700u);
  EXPECT_OK(dir().Stat("x/y"));
}

TEST_P(FilesContract, CanonicalHasNoLinks) {
  ASSERT_OK(dir().MakeDir("real"));
  Put("real/f", "text");
  ASSERT_OK(dir().Symlink("real", "link"));
  ASSERT_OK_AND_ASSIGN(const std::string base, files().Canonical(root()));
  EXPECT_THAT(files().Canonical(root() + "/link/f"), IsOkAndHolds(base + "/real/f"));
  EXPECT_THAT(files().Canonical(root() + "/link/../real/./f"), IsOkAndHolds(base + "/real/f"));
  EXPECT_THAT(files().Canonical(root() + "/link/new"), IsOkAndHolds(base + "/real/new"));
  EXPECT_THAT(files().Canonical(root() + "/none/new"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(ReadUserFile(files(), root() + "/link/f", 100), IsOkAndHolds("text"));
  EXPECT_THAT(ReadUserFile(files(), root() + "/link/f", 3),
              StatusIs(StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace slipway::base::testing
