#include "base/testing/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

namespace slipway::base::testing {
namespace {

namespace fs = std::filesystem;

TEST(TempDir, IsANewEmptyDirectory) {
  const TempDir first, second;
  EXPECT_NE(first.path(), second.path());
  EXPECT_TRUE(fs::is_empty(first.path()));
  EXPECT_EQ(first.Join("a/b"), first.path() + "/a/b");
}

TEST(TempDir, IsRemovedAlsoWithReadOnlyDirectories) {
  std::optional<TempDir> dir(std::in_place);
  const std::string path = dir->path();
  fs::create_directories(dir->Join("a/b/c"));
  std::ofstream(dir->Join("a/b/c/file")) << "x";
  fs::permissions(dir->Join("a/b/c"), fs::perms::owner_read | fs::perms::owner_exec);
  fs::permissions(dir->Join("a/b"), fs::perms::none);
  fs::permissions(dir->Join("a"), fs::perms::owner_read | fs::perms::owner_exec);
  dir.reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST(TempDir, DoesNotFollowLinksWhenRemoving) {
  const TempDir kept;
  std::ofstream(kept.Join("file")) << "x";
  {
    const TempDir dir;
    fs::create_directory_symlink(kept.path(), dir.Join("link"));
  }
  EXPECT_TRUE(fs::exists(kept.Join("file")));
}

}  // namespace
}  // namespace slipway::base::testing
